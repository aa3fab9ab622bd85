#include "engine/files/dac_file.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/files/atomic_file.h"
#include "engine/files/file_kind.h"
#include "engine/files/pickle.h"
#include "engine/files/pickle_writer.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);  // version 1.0
constexpr std::string_view kHeader = "{'descr': '|O', 'fortran_order': False, 'shape': (), }";
constexpr size_t kPrefix = kMagic.size() + sizeof(uint16_t);  // then the header
constexpr std::string_view kVersion = "1.0.0";

void check(const DacFile& file, const std::string& where) {
  const DacMetadata& meta = file.metadata;
  const auto in_range = [&](std::string_view name, int64_t value, int64_t most) {
    if (value < 1 || value > most) {
      fail("{}: {} is {}, expected 1 to {}", where, name, value, most);
    }
  };
  if (meta.dac_version != kVersion) {
    fail("{}: dac_version is {}, only {} is supported", where, quote(meta.dac_version), kVersion);
  }
  constexpr int64_t kMany = int64_t{1} << 40;  // so that no later product overflows
  in_range("the number of channels", file.channels, 1024);
  in_range("the number of codebooks", file.n_codebooks, 1024);
  in_range("the number of frames", file.frames, kMany);
  in_range("original_length", meta.original_length, kMany);
  in_range("sample_rate", meta.sample_rate, 1'000'000'000);
  in_range("chunk_length", meta.chunk_length, kMany);
  if (meta.channels != file.channels) {
    fail("{}: metadata says {} channels, the codes have {}", where, meta.channels, file.channels);
  }
  // What any recording has, and a gain that no sound overflows with.
  constexpr float kQuietest = -200, kLoudest = 60;
  if (!(meta.input_db >= kQuietest && meta.input_db <= kLoudest)) {
    fail("{}: input_db is {}, expected {} to {}", where, meta.input_db, kQuietest, kLoudest);
  }
  const auto codes = static_cast<int64_t>(file.codes.size());
  if (codes != file.channels * file.n_codebooks * file.frames) {
    fail("{}: {} codes for {} channels, {} codebooks, {} frames", where, codes, file.channels,
         file.n_codebooks, file.frames);
  }
}

// ---- reading

/// The pickle behind the header of a .npy file, which must announce one Python object.
std::span<const std::byte> npy_payload(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) fail("{}: not a .dac file: no numpy array of version 1.0", where);
  if (bytes.size() < kPrefix) fail("{}: it ends after {} bytes", where, bytes.size());
  const size_t size = std::to_integer<size_t>(bytes[kMagic.size()]) |
                      std::to_integer<size_t>(bytes[kMagic.size() + 1]) << 8;
  if (size > bytes.size() - kPrefix) {
    fail("{}: a header of {} bytes, the file has {}", where, size, bytes.size());
  }
  const auto without_space = [](std::string_view from) {
    std::string result;
    std::copy_if(from.begin(), from.end(), std::back_inserter(result),
                 [](char c) { return c != ' ' && c != '\n'; });
    return result;
  };
  const std::string_view header = text.substr(kPrefix, size);
  if (without_space(header) != without_space(kHeader)) {
    fail("{}: not a .dac file: its array is {}, expected {}", where, quote(header), kHeader);
  }
  return bytes.subspan(kPrefix + size);
}

/// A Python integer or a numpy one.
int64_t integer(const PickleValue& value) {
  if (!value.is_tensor()) return value.as_int();
  const StoredTensor& tensor = value.as_tensor();
  if (tensor.size() != 1) fail("{}: expected an integer, found an array", value.path());
  return to_int32(tensor, value.path())[0];
}

/// A Python number or a numpy array of one.
float loudness(const PickleValue& value) {
  if (!value.is_tensor()) return static_cast<float>(value.as_double());
  const auto values = to_floats(value.as_tensor());
  if (values.size() != 1) {
    fail("{}: expected one number, found {}", value.path(), values.size());
  }
  return values[0];
}

std::vector<uint16_t> code_values(const StoredTensor& tensor, const std::string& where) {
  std::vector<uint16_t> codes;
  codes.reserve(static_cast<size_t>(tensor.size()));
  for (const int32_t value : to_int32(tensor, where)) {
    if (!std::in_range<uint16_t>(value)) fail("{}: code {} is out of range", where, value);
    codes.push_back(static_cast<uint16_t>(value));
  }
  return codes;
}

// ---- writing

/// The class numpy makes arrays of; BUILD fills what it returns.
void write_array_shell(PickleWriter& pickle) {
  constexpr std::byte kTypeCode{'b'};
  pickle.global("numpy.core.multiarray", "_reconstruct");
  pickle.global("numpy", "ndarray");
  pickle.integer(0);
  pickle.tuple(1);
  pickle.bytes(std::span(&kTypeCode, 1));
  pickle.tuple(3);
  pickle.reduce();
}

/// `flags` are numpy's: 63 for Python objects, 0 for numbers.
void write_dtype(PickleWriter& pickle, std::string_view name, std::string_view order, int flags) {
  pickle.global("numpy", "dtype");
  pickle.text(name);
  pickle.boolean(false);
  pickle.boolean(true);
  pickle.tuple(3);
  pickle.reduce();
  pickle.mark();
  pickle.integer(3);  // version of this state
  pickle.text(order);
  for (int i = 0; i < 3; ++i) pickle.none();       // no sub-array, names or fields
  for (int i = 0; i < 2; ++i) pickle.integer(-1);  // default size and alignment
  pickle.integer(flags);
  pickle.tuple_from_mark();
  pickle.build();
}

void write_array(PickleWriter& pickle, std::string_view dtype, std::span<const int64_t> shape,
                 std::span<const std::byte> elements) {
  write_array_shell(pickle);
  pickle.mark();
  pickle.integer(1);  // version of this state
  for (const int64_t extent : shape) pickle.integer(extent);
  pickle.tuple(static_cast<int>(shape.size()));
  write_dtype(pickle, dtype, "<", 0);
  pickle.boolean(false);  // not in Fortran order
  pickle.bytes(elements);
  pickle.tuple_from_mark();
  pickle.build();
}

void write_metadata(PickleWriter& pickle, const DacMetadata& meta) {
  const auto integer_item = [&](std::string_view name, int64_t value) {
    pickle.text(name);
    pickle.integer(value);
  };
  pickle.empty_dict();
  pickle.mark();
  pickle.text("input_db");
  constexpr int64_t kOne = 1;
  write_array(pickle, "f4", std::span(&kOne, 1), std::as_bytes(std::span(&meta.input_db, 1)));
  integer_item("original_length", meta.original_length);
  integer_item("sample_rate", meta.sample_rate);
  integer_item("chunk_length", meta.chunk_length);
  integer_item("channels", meta.channels);
  pickle.text("padding");
  pickle.boolean(meta.padding);
  pickle.text("dac_version");
  pickle.text(meta.dac_version);
  pickle.set_items();
}

/// An array of rank 0 whose one element is the dictionary.
std::string dac_pickle(const DacFile& file) {
  PickleWriter pickle;
  write_array_shell(pickle);
  pickle.mark();
  pickle.integer(1);
  pickle.empty_tuple();
  write_dtype(pickle, "O8", "|", 63);
  pickle.boolean(false);
  pickle.empty_list();
  pickle.empty_dict();
  pickle.mark();
  pickle.text("codes");
  const int64_t shape[] = {file.channels, file.n_codebooks, file.frames};
  write_array(pickle, "u2", shape, std::as_bytes(std::span(file.codes)));
  pickle.text("metadata");
  write_metadata(pickle, file.metadata);
  pickle.set_items();
  pickle.append();
  pickle.tuple_from_mark();
  pickle.build();
  return pickle.finish();
}

}  // namespace

DacFile read_dac(const std::filesystem::path& path) {
  const std::string where = path.string();
  refuse_other_kinds(path, FileKind::dac, "a .dac file");
  const std::vector<std::byte> bytes = read_file(path, kMaxFileBytes);
  const PickleValue array = read_pickle(npy_payload(bytes, where), where);
  if (!array.is_list() || array.size() != 1) {
    fail("{}: not a .dac file: expected one dictionary, found {}", where, array.kind());
  }
  const PickleValue root = array[0];
  const PickleValue metadata = root.at("metadata");
  DacFile file;
  DacMetadata& meta = file.metadata;
  meta.dac_version = metadata.at("dac_version").as_string();
  meta.input_db = loudness(metadata.at("input_db"));
  meta.original_length = integer(metadata.at("original_length"));
  meta.sample_rate = integer(metadata.at("sample_rate"));
  meta.chunk_length = integer(metadata.at("chunk_length"));
  meta.channels = integer(metadata.at("channels"));
  meta.padding = metadata.at("padding").as_bool();

  const PickleValue codes = root.at("codes");
  const StoredTensor& tensor = codes.as_tensor();
  if (tensor.shape.size() != 3) {
    fail("{}: shape {}, expected [channels, codebooks, frames]", codes.path(),
         shape_text(tensor.shape));
  }
  file.channels = tensor.shape[0];
  file.n_codebooks = tensor.shape[1];
  file.frames = tensor.shape[2];
  file.codes = code_values(tensor, codes.path());
  check(file, where);
  return file;
}

void write_dac(const std::filesystem::path& path, const DacFile& file) {
  check(file, path.string());
  // numpy aligns what follows the header to 64 bytes and ends the header with a line feed.
  constexpr size_t kAlignment = 64;
  const size_t begin = (kPrefix + kHeader.size() + kAlignment) / kAlignment * kAlignment;
  std::string header(kHeader);
  header.resize(begin - kPrefix - 1, ' ');
  header += '\n';
  const auto size = static_cast<uint16_t>(header.size());
  const std::string pickle = dac_pickle(file);
  write_file_atomically(path, [&](FileWriter& writer) {
    writer.write(kMagic);
    writer.write(&size, sizeof size);
    writer.write(header);
    writer.write(pickle);
  });
}

}  // namespace dsf
