#include "engine/dataset/name_fields.h"

#include <algorithm>
#include <optional>

#include "engine/files/quote.h"
#include "engine/files/table.h"
#include "kernels/common/checks.h"

namespace dsf {

NameForm::NameForm(std::string form, std::string_view option) : form_(std::move(form)) {
  const auto refuse = [&](const std::string& why) {
    fail_usage("{} {}: {}; expected a form such as {{}}-{{strength}}-{{}}", option, quote(form_),
               why);
  };
  std::string_view rest = form_;
  for (size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    const size_t close = rest.find('}', open);
    if (close == std::string_view::npos) refuse("a brace opens and is never closed");
    Part part{std::string(rest.substr(0, open)),
              std::string(trimmed(rest.substr(open + 1, close - open - 1)))};
    if (!parts_.empty() && part.before.empty()) refuse("two fields without text between them");
    if (!part.name.empty()) {
      if (std::ranges::find(names_, part.name) != names_.end()) {
        refuse(fmt::format("{} occurs twice", quote(part.name)));
      }
      names_.push_back(part.name);
    }
    parts_.push_back(std::move(part));
    rest.remove_prefix(close + 1);
  }
  after_ = rest;
  if (names_.empty()) refuse("it names no parameter");
}

std::vector<double> NameForm::read(const std::filesystem::path& file) const {
  const std::string stem = file.stem().string();
  const auto refuse = [&](const std::string& why) {
    fail("{}: its name does not have the form {}: {}", file.string(), quote(form_), why);
  };
  std::string_view rest = stem;
  std::vector<double> values;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!rest.starts_with(part.before)) {
      refuse(fmt::format("found {}, expected {}", quote(rest), quote(part.before)));
    }
    rest.remove_prefix(part.before.size());
    const bool last = i + 1 == parts_.size();
    const std::string& text = last ? after_ : parts_[i + 1].before;
    size_t size = std::string_view::npos;
    if (!last) {
      size = rest.find(text, 1);
    } else if (rest.ends_with(text) && rest.size() > text.size()) {
      size = rest.size() - text.size();
    }
    if (size == std::string_view::npos) {
      refuse(fmt::format("found {}, expected {}{}", quote(rest),
                         part.name.empty() ? "something" : "a number",
                         text.empty() ? "" : " and then " + quote(text)));
    }
    if (!part.name.empty()) {
      const std::optional<double> value = parse_decimal(rest.substr(0, size));
      if (!value) {
        refuse(fmt::format("{} is {}, expected a number such as 0.5", quote(part.name),
                           quote(rest.substr(0, size))));
      }
      values.push_back(*value);
    }
    rest.remove_prefix(size);
  }
  return values;
}

}  // namespace dsf
