#include "engine/files/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "engine/files/quote.h"
#include "engine/files/safetensors.h"
#include "engine/files/torch_file.h"

namespace dsf {
namespace {

struct Listing {
  struct Said {
    std::string name, value;
  };
  struct TensorRow {
    std::string name, dtype, shape;
    size_t bytes;
  };
  std::vector<Said> said;
  std::vector<TensorRow> tensors;

  void add(const std::string& name, const StoredTensor& tensor) {
    tensors.push_back({printable(name), std::string(dtype_name(tensor.dtype)),
                       shape_text(tensor.shape), tensor.bytes.size()});
  }
  /// Without quotation marks: a name or value of the file's, safe on a terminal.
  static std::string printable(const std::string& text) {
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
  const auto inside = [&](const std::string& step) {
    return name.empty() ? step : name + "/" + step;
  };
  if (value.is_tensor()) {
    listing.add(name, value.as_tensor());
  } else if (value.is_dict()) {
    for (const auto& [key, item] : value.entries()) {
      add_value(inside(key.is_string() ? key.as_string() : key.plain_text()), item, listing);
    }
  } else if (is_plain(value)) {
    listing.said.push_back({Listing::printable(name), value.plain_text()});
  } else if (is_plain_list(value)) {
    listing.said.push_back({Listing::printable(name), list_text(value)});
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
    listing.said.push_back({Listing::printable(name), Listing::printable(value)});
  }
  for (const auto& [name, tensor] : file.tensors) listing.add(name, tensor);
  return listing;
}

}  // namespace

std::string inspect_file(const std::filesystem::path& path) {
  const Listing listing = is_torch_name(path) ? list_torch_file(path) : list_safetensors(path);
  size_t name_width = 0, shape_width = 0, bytes = 0;
  for (const auto& row : listing.said) name_width = std::max(name_width, row.name.size());
  for (const auto& row : listing.tensors) {
    name_width = std::max(name_width, row.name.size());
    shape_width = std::max(shape_width, row.shape.size());
    bytes += row.bytes;
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
  fmt::format_to(out, "{} tensors, {} bytes\n", listing.tensors.size(), bytes);
  return text;
}

}  // namespace dsf
