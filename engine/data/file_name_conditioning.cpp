#include "engine/data/file_name_conditioning.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// How many digits `text` begins with.
size_t count_digits(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

/// Cuts off what stands before the first `separator`, and the separator; false if there is none
/// or nothing before it.
bool take_until(std::string_view& rest, std::string_view separator, std::string& part) {
  const size_t at = rest.find('-');
  if (at == 0 || at == std::string_view::npos || rest.substr(at, separator.size()) != separator) {
    return false;
  }
  part = rest.substr(0, at);
  rest.remove_prefix(at + separator.size());
  return true;
}

/// Reads "<digits>.<digits>-" at the beginning.
bool read_value(std::string_view rest, float& value) {
  const size_t whole = count_digits(rest);
  if (whole == 0 || rest.substr(whole, 1) != ".") return false;
  const size_t fraction = count_digits(rest.substr(whole + 1));
  const size_t size = whole + 1 + fraction;
  if (fraction == 0 || rest.substr(size, 1) != "-") return false;
  return std::from_chars(rest.data(), rest.data() + size, value).ec == std::errc();
}

}  // namespace

FileNameConditioning parse_file_name(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  FileNameConditioning result;
  result.file = file.string();
  std::string_view rest = name;
  if (!take_until(rest, "--", result.class_name) || !take_until(rest, "-", result.parameter_name) ||
      !read_value(rest, result.value)) {
    fail(
        "{}: the name does not say the sound's class and parameter; expected "
        "Class--Parameter-01.00-….dac",
        result.file);
  }
  return result;
}

std::vector<float> conditioning_vector(const FileNameConditioning& conditioning,
                                       const std::vector<std::string>& class_names,
                                       const std::vector<std::vector<std::string>>& class_aliases,
                                       int64_t num_parameters) {
  DSF_CHECK(class_names.size() == class_aliases.size(), "{} classes, aliases of {}",
            class_names.size(), class_aliases.size());
  if (num_parameters > 1) {
    fail_usage("{}: file names carry one parameter, but cond_params is {}", conditioning.file,
               num_parameters);
  }
  std::vector<float> vector(class_names.size(), 0.0F);
  bool found = class_names.empty();
  std::vector<std::string> known;
  for (size_t i = 0; i < class_names.size(); ++i) {
    const auto& aliases = class_aliases[i];
    const bool matches =
        conditioning.class_name == class_names[i] ||
        std::find(aliases.begin(), aliases.end(), conditioning.class_name) != aliases.end();
    if (matches) vector[i] = 1.0F;
    found = found || matches;
    known.push_back(class_names[i]);
    known.insert(known.end(), aliases.begin(), aliases.end());
  }
  if (!found) {
    fail_usage("{}: the class '{}' is not known; known: {}", conditioning.file,
               conditioning.class_name, fmt::join(known, ", "));
  }
  if (num_parameters == 1) vector.push_back(conditioning.value);
  return vector;
}

}  // namespace dsf
