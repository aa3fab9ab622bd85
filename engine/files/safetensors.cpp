#include "engine/files/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr size_t kMaxDepth = 4;                    // header, tensor, its list, and one to spare
constexpr size_t kMaxEvents = 1'000'000;           // of parsing: some 20 are a tensor
constexpr const char* kMetadataKey = "__metadata__";

/// A tensor's place in the file: bytes begin … end−1 of the data.
struct Entry {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Parses strictly: the library keeps the last of two equal keys, takes a zero byte as the end, and
/// would limit neither an attacker's nesting nor the memory that many small values take.
json parse_header(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  size_t events = 0;
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    if (++events > kMaxEvents) fail("{}: the header has too many values", where);
    if (static_cast<size_t>(depth) > kMaxDepth) fail("{}: the header is nested too deeply", where);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      fail("{}: key {} appears twice", where, quote(value.get_ref<const std::string&>()));
    }
    return true;
  };
  if (!text.starts_with('{')) fail("{}: the header is not a JSON object", where);
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    fail("{}: the header is not valid JSON: its byte {} is zero", where, zero);
  }
  try {
    return json::parse(text, check);
  } catch (const json::exception& error) {
    fail("{}: the header is not valid JSON: {}", where, quote(error.what()));
  }
}

/// A list of non-negative integers that fit int64.
std::vector<int64_t> integers(const json& entry, const char* key, const std::string& where) {
  const auto found = entry.find(key);
  const auto is_integer = [](const json& value) {
    return value.is_number_unsigned() && std::in_range<int64_t>(value.get<uint64_t>());
  };
  if (found == entry.end() || !found->is_array() ||
      !std::all_of(found->begin(), found->end(), is_integer)) {
    fail("{}: '{}' must be a list of non-negative integers", where, key);
  }
  return found->get<std::vector<int64_t>>();
}

Entry parse_entry(const std::string& name, const json& value, const std::string& file) {
  const std::string where = fmt::format("{}: tensor {}", file, quote(name));
  if (!value.is_object() || value.size() != 3) {
    fail("{}: expected an object of 'dtype', 'shape' and 'data_offsets'", where);
  }
  Entry entry{.name = name, .shape = integers(value, "shape", where)};
  const auto dtype = value.find("dtype");
  if (dtype == value.end() || !dtype->is_string()) fail("{}: it has no 'dtype'", where);
  const auto known = parse_dtype(dtype->get_ref<const std::string&>());
  if (!known)
    fail("{}: element type {} is not supported", where,
         quote(dtype->get_ref<const std::string&>()));
  entry.dtype = *known;
  const auto offsets = integers(value, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    fail("{}: 'data_offsets' must be [begin, end], begin <= end", where);
  }
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);
  if (tensor_bytes(entry.dtype, entry.shape) != entry.end - entry.begin) {
    fail("{}: {} of shape {} does not take {} bytes", where, dtype_name(entry.dtype),
         shape_text(entry.shape), entry.end - entry.begin);
  }
  return entry;
}

std::map<std::string, std::string> parse_metadata(const json& value, const std::string& where) {
  const bool valid = value.is_object() && std::all_of(value.begin(), value.end(),
                                                      [](const json& v) { return v.is_string(); });
  if (!valid) fail("{}: '{}' must be an object of strings", where, kMetadataKey);
  return value.get<std::map<std::string, std::string>>();
}

/// Sorts the entries as they lie in the file and makes sure that they cover `size` bytes.
void check_layout(std::vector<Entry>& entries, uint64_t size, const std::string& where) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered) {
      fail("{}: tensor {} begins at byte {} of the data, expected {} (no gap, no overlap)", where,
           quote(entry.name), entry.begin, covered);
    }
    covered = entry.end;
  }
  if (covered != size) {
    fail("{}: the tensors take {} bytes, the file has {} for them", where, covered, size);
  }
}

constexpr std::string_view kExpected = "expected a .safetensors or a .pth file";

uint64_t read_header_size(const InputFile& file) {
  uint64_t size = 0;
  if (file.size() < sizeof size) {
    fail("{}: not a safetensors file: it has {} bytes; {}", file.path().string(), file.size(),
         kExpected);
  }
  file.read(0, std::as_writable_bytes(std::span(&size, 1)));
  if (size > kMaxHeaderBytes || size > file.size() - sizeof size) {
    fail("{}: not a safetensors file: a header of {} bytes in a file of {} (limit {}); {}",
         file.path().string(), size, file.size(), kMaxHeaderBytes, kExpected);
  }
  return size;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  const InputFile file(path);
  const std::string where = path.string();
  std::string text(read_header_size(file), '\0');
  file.read(sizeof(uint64_t), std::as_writable_bytes(std::span(text)));
  const json header = parse_header(text, where);

  TensorFile result;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadataKey) {
      result.metadata = parse_metadata(value, where);
    } else {
      entries.push_back(parse_entry(name, value, where));
    }
  }
  const uint64_t data = sizeof(uint64_t) + text.size();
  check_layout(entries, file.size() - data, where);
  for (Entry& entry : entries) {
    StoredTensor tensor{entry.dtype, std::move(entry.shape), {}};
    tensor.bytes.resize(entry.end - entry.begin);
    file.read(data + entry.begin, tensor.bytes);
    result.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  return result;
}

void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, std::string>& metadata,
                       const std::map<std::string, TensorRef>& tensors) {
  using Item = std::pair<const std::string, TensorRef>;
  std::vector<const Item*> items;
  items.reserve(tensors.size());
  for (const Item& item : tensors) items.push_back(&item);
  std::stable_sort(items.begin(), items.end(), [](const Item* a, const Item* b) {
    return dtype_size(a->second.dtype) > dtype_size(b->second.dtype);
  });

  json header = json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  uint64_t end = 0;
  for (const Item* item : items) {
    const auto& [name, tensor] = *item;
    const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
    const uint64_t begin = end;
    if (!bytes || __builtin_add_overflow(begin, *bytes, &end)) {
      fail("{}: tensor {} of shape {} is too large", path.string(), quote(name),
           shape_text(tensor.shape));
    }
    if (name == kMetadataKey) fail("{}: a tensor cannot be named '{}'", path.string(), name);
    header[name] = {{"dtype", dtype_name(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception& error) {  // names and metadata must be UTF-8
    fail("{}: cannot write its header: {}", path.string(), error.what());
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    fail("{}: the header would have {} bytes, at most {} are allowed", path.string(), text.size(),
         kMaxHeaderBytes);
  }
  write_file_atomically(path, [&](FileWriter& writer) {
    const uint64_t size = text.size();
    writer.write(&size, sizeof size);
    writer.write(text);
    for (const Item* item : items) {
      const TensorRef& tensor = item->second;
      writer.write(tensor.data, *tensor_bytes(tensor.dtype, tensor.shape));
    }
  });
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  std::map<std::string, TensorRef> refs;
  for (const auto& [name, tensor] : file.tensors) refs.emplace(name, tensor_ref(tensor));
  write_safetensors(path, file.metadata, refs);
}

}  // namespace dsf
