#include "engine/files/torch_writer.h"

#include <fmt/format.h>
#include <zip.h>

#include <array>
#include <memory>
#include <utility>

#include "engine/files/atomic_file.h"
#include "engine/files/stored_tensor.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// A zip archive of uncompressed entries, built in memory.
class StoredZip {
 public:
  explicit StoredZip(std::string where) : where_(std::move(where)) {
    zip_error_t error;
    zip_error_init(&error);
    source_.reset(zip_source_buffer_create(nullptr, 0, 0, &error));
    if (source_) zip_.reset(zip_open_from_source(source_.get(), ZIP_TRUNCATE, &error));
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (!zip_) fail("{}: cannot make a zip archive: {}", where_, reason);
    zip_source_keep(source_.get());  // the archive owns it too, until it is closed
  }

  /// `bytes` must stay until `finish`.
  void add(const std::string& name, std::span<const std::byte> bytes) {
    zip_source_t* content = zip_source_buffer(zip_.get(), bytes.data(), bytes.size(), 0);
    const zip_int64_t added = content ? zip_file_add(zip_.get(), name.c_str(), content, 0) : -1;
    if (added < 0) {
      zip_source_free(content);
      fail_zip(name);
    }
    const auto index = static_cast<zip_uint64_t>(added);
    constexpr zip_uint16_t kFirstOfJanuary1980 = 1 << 5 | 1;
    const std::vector<zip_uint8_t> padding = align(name);
    if (zip_set_file_compression(zip_.get(), index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(zip_.get(), index, 0, kFirstOfJanuary1980, 0) != 0 ||
        zip_file_extra_field_set(zip_.get(), index, kPaddingField, 0, padding.data(),
                                 static_cast<zip_uint16_t>(padding.size()), ZIP_FL_LOCAL) != 0) {
      fail_zip(name);
    }
    position_ += bytes.size();
  }

  /// Completes the archive and hands it to `writer`. Nothing can be added afterwards.
  void finish(FileWriter& writer) {
    if (zip_close(zip_.get()) != 0) fail_zip("the archive");
    [[maybe_unused]] const zip_t* closed = zip_.release();
    std::vector<std::byte> block(size_t{1} << 20);
    zip_int64_t count = zip_source_open(source_.get()) == 0 ? 1 : -1;
    while (count > 0) {
      count = zip_source_read(source_.get(), block.data(), block.size());
      if (count > 0) writer.write(block.data(), static_cast<size_t>(count));
    }
    if (count < 0) {
      fail("{}: cannot make a zip archive: {}", where_,
           zip_error_strerror(zip_source_error(source_.get())));
    }
    zip_source_close(source_.get());
  }

 private:
  static constexpr zip_uint16_t kPaddingField = 0x4246;  // "FB", PyTorch's own

  /// Padding for the local header of the next entry, so that its bytes begin aligned.
  std::vector<zip_uint8_t> align(const std::string& name) {
    constexpr uint64_t kAlignment = 64, kHeader = 30, kFieldHeader = 4;
    position_ += kHeader + name.size() + kFieldHeader;
    std::vector<zip_uint8_t> padding((kAlignment - position_ % kAlignment) % kAlignment, 'Z');
    position_ += padding.size();
    return padding;
  }

  [[noreturn]] void fail_zip(const std::string& name) const {
    fail("{}: cannot make a zip archive: {}: {}", where_, name, zip_strerror(zip_.get()));
  }

  struct Free {
    void operator()(zip_source_t* source) const { zip_source_free(source); }
    void operator()(zip_t* zip) const { zip_discard(zip); }
  };

  std::string where_;
  std::unique_ptr<zip_source_t, Free> source_;  // what the archive is written to
  std::unique_ptr<zip_t, Free> zip_;
  uint64_t position_ = 0;  // in the archive
};

/// Strides of a dense tensor, in elements.
std::vector<int64_t> dense_strides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

void write_integers(PickleWriter& pickle, std::span<const int64_t> values) {
  if (values.empty()) return pickle.empty_tuple();
  pickle.mark();
  for (const int64_t value : values) pickle.integer(value);
  pickle.tuple_from_mark();
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

void TorchWriter::tensor(std::span<const int64_t> shape, const float* elements) {
  const auto count = element_count(shape);
  DSF_CHECK(count.has_value(), "a tensor of shape {}", shape_text(shape));
  const auto [storage, is_new] = storage_of_.emplace(elements, storages_.size());
  if (is_new) storages_.emplace_back(elements, *count);
  DSF_CHECK(storages_[storage->second].size() == *count, "{} elements, shared as {}", *count,
            storages_[storage->second].size());

  // torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)
  pickle_.global("torch._utils", "_rebuild_tensor_v2");
  pickle_.mark();
  pickle_.mark();
  pickle_.text("storage");
  pickle_.global("torch", "FloatStorage");
  pickle_.text(std::to_string(storage->second));
  pickle_.text("cpu");
  pickle_.integer(static_cast<int64_t>(*count));
  pickle_.tuple_from_mark();
  pickle_.persistent();
  pickle_.integer(0);
  write_integers(pickle_, shape);
  write_integers(pickle_, dense_strides(shape));
  pickle_.boolean(false);
  ordered_dict();
  pickle_.tuple_from_mark();
  pickle_.reduce();
}

void TorchWriter::ordered_dict() {
  pickle_.global("collections", "OrderedDict");
  pickle_.empty_tuple();
  pickle_.reduce();
}

void TorchWriter::write(const std::filesystem::path& path) {
  const std::string pickle = pickle_.finish();
  StoredZip zip(path.string());
  zip.add("archive/data.pkl", bytes_of(pickle));
  zip.add("archive/byteorder", bytes_of("little"));
  for (size_t i = 0; i < storages_.size(); ++i) {
    zip.add(fmt::format("archive/data/{}", i), std::as_bytes(storages_[i]));
  }
  zip.add("archive/version", bytes_of("3\n"));
  write_file_atomically(path, [&](FileWriter& writer) { zip.finish(writer); });
}

}  // namespace dsf
