#include "engine/files/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/files/safetensors.h"
#include "engine/files/torch_file.h"

namespace dsf {
namespace {

/// What a file says and holds, as much of it as people read: a hostile one has millions of values.
struct Listing {
  struct Said {
    std::string name, value;
  };
  struct TensorRow {
    std::string name, dtype, shape;
    size_t bytes;
  };
  static constexpr size_t kMostRows = 10'000;  // of each kind
  std::vector<Said> said;
  std::vector<TensorRow> tensors;
  size_t all_said = 0, all_tensors = 0, all_bytes = 0;

  void add(const std::string& name, const StoredTensor& tensor) {
    all_bytes += tensor.bytes.size();
    if (++all_tensors > kMostRows) return;
    tensors.push_back({cut(name), std::string(dtype_name(tensor.dtype)), shape_text(tensor.shape),
                       tensor.bytes.size()});
  }
  /// `text` gives the value's text where it is wanted.
  template <class Text>
  void say(const std::string& name, const Text& text) {
    if (++all_said <= kMostRows) said.push_back({cut(name), text()});
  }
  /// Quoted, but without quotation marks: a name or value of the file's.
  static std::string cut(const std::string& text) {
    const std::string quoted = quote(text);
    return quoted.substr(1, quoted.size() - 2);
  }
};

bool is_plain(const PickleValue& value) {
  return !value.is_list() && !value.is_dict() && !value.is_tensor();
}

/// "[2, 4, 8, 8]"; long lists are cut.
std::string list_text(const PickleValue& list) {
  constexpr size_t kMostListed = 16;
  std::vector<std::string> items;
  for (size_t i = 0; i < std::min(list.size(), kMostListed); ++i) {
    items.push_back(list[i].plain_text());
  }
  return fmt::format("[{}{}]", fmt::join(items, ", "),
                     list.size() > kMostListed ? fmt::format(", … {} in all", list.size()) : "");
}

bool is_plain_list(const PickleValue& list) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (!is_plain(list[i])) return false;
  }
  return true;
}

/// The reader limits how deep values are nested and how many there are.
void add_value(const std::string& name, const PickleValue& value, Listing& listing) {
  // A name is cut where it is shown: what comes after that is not kept either, so that names do not
  // grow with the depth.
  const auto inside = [&](const std::string& step) {
    constexpr size_t kKept = kLongestQuoted + 4;  // a character begun before the cut is whole
    const std::string kept = step.substr(0, kKept);
    if (name.size() >= kKept) return name;
    return name.empty() ? kept : name + "/" + kept;
  };
  if (value.is_tensor()) {
    listing.add(name, value.as_tensor());
  } else if (value.is_dict()) {
    for (const auto& [key, item] : value.entries()) {
      add_value(inside(key.is_string() ? key.as_string() : key.plain_text()), item, listing);
    }
  } else if (is_plain(value)) {
    listing.say(name, [&] { return value.plain_text(); });
  } else if (is_plain_list(value)) {
    listing.say(name, [&] { return list_text(value); });
  } else {
    for (size_t i = 0; i < value.size(); ++i)
      add_value(inside(std::to_string(i)), value[i], listing);
  }
}

Listing list_torch_file(const std::filesystem::path& path) {
  Listing listing;
  add_value("", read_torch_file(path), listing);
  return listing;
}

Listing list_safetensors(const std::filesystem::path& path) {
  Listing listing;
  const TensorFile file = read_safetensors(path);
  for (const auto& [name, value] : file.metadata) {
    listing.say(name, [&, &text = value] { return Listing::cut(text); });
  }
  for (const auto& [name, tensor] : file.tensors) listing.add(name, tensor);
  return listing;
}

}  // namespace

std::string inspect_file(const std::filesystem::path& path) {
  const Listing listing = is_torch_name(path) ? list_torch_file(path) : list_safetensors(path);
  size_t name_width = 0, shape_width = 0;
  for (const auto& row : listing.said) {
    name_width = std::max(name_width, count_characters(row.name));
  }
  for (const auto& row : listing.tensors) {
    name_width = std::max(name_width, count_characters(row.name));
    shape_width = std::max(shape_width, row.shape.size());
  }
  std::string text;
  const auto out = std::back_inserter(text);
  for (const auto& row : listing.said) {
    fmt::format_to(out, "{:<{}}  {}\n", row.name, name_width, row.value);
  }
  for (const auto& row : listing.tensors) {
    fmt::format_to(out, "{:<{}}  {:<4}  {:<{}}  {} bytes\n", row.name, name_width, row.dtype,
                   row.shape, shape_width, row.bytes);
  }
  const size_t not_listed =
      listing.all_said - listing.said.size() + listing.all_tensors - listing.tensors.size();
  if (not_listed > 0) fmt::format_to(out, "… and {} more, which are not listed\n", not_listed);
  fmt::format_to(out, "{}, {}\n", counted(listing.all_tensors, "tensor"),
                 counted(listing.all_bytes, "byte"));
  return text;
}

}  // namespace dsf
