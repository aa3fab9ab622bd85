#include "engine/files/torch_file.h"

#include <zip.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kMaxPickleBytes = uint64_t{64} << 20;

/// What the first bytes of a file that is no zip archive say about it.
std::string_view describe_beginning(const InputFile& file) {
  // The old format begins with a pickle of the number 0x1950a86a20f9469cfc6c.
  constexpr std::string_view kOldFormat =
      "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19";
  std::string beginning(std::min<uint64_t>(file.size(), kOldFormat.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(beginning)));
  if (beginning == kOldFormat) {
    return "it has PyTorch's format before 1.6; load and save it again with a newer PyTorch";
  }
  if (beginning.empty()) return "it is empty";
  return "not a PyTorch file: it is no zip archive";
}

/// The entries <prefix>/data.pkl, <prefix>/data/<key> … of an archive.
class TorchArchive : public StorageArchive {
 public:
  explicit TorchArchive(const std::filesystem::path& path) : where_(path.string()) {
    const InputFile file(path);
    std::string signature(std::min<uint64_t>(file.size(), 4), '\0');
    file.read(0, std::as_writable_bytes(std::span(signature)));
    if (signature != "PK\x03\x04") fail("{}: {}", where_, describe_beginning(file));
    open(path);
    list_entries(file.size());
    find_prefix();
    check_byte_order();
  }

  std::vector<std::byte> pickle() const { return read(prefix_ + "data.pkl", kMaxPickleBytes); }
  std::string pickle_name() const { return fmt::format("{}: {}data.pkl", where_, prefix_); }

  std::vector<std::byte> load(const std::string& key) const override {
    return read(prefix_ + "data/" + key, total_bytes_);
  }
  uint64_t total_bytes() const override { return total_bytes_; }

 private:
  struct Entry {
    zip_uint64_t index;
    uint64_t size;
  };

  void open(const std::filesystem::path& path) {
    int code = 0;
    zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (zip_) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail("{}: damaged zip archive: {}", where_, reason);
  }

  /// Entries are stored as they are and none twice, so together they are no larger than the file.
  void list_entries(uint64_t file_size) {
    const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
    for (zip_uint64_t index = 0; index < static_cast<zip_uint64_t>(count); ++index) {
      zip_stat_t status;
      constexpr zip_uint64_t kNeeded =
          ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
      if (zip_stat_index(zip_.get(), index, ZIP_FL_ENC_RAW, &status) != 0 ||
          (status.valid & kNeeded) != kNeeded) {
        fail("{}: entry {} of the zip archive is damaged", where_, index);
      }
      const std::string name = status.name;
      if (status.comp_method != ZIP_CM_STORE || status.size != status.comp_size) {
        fail("{}: entry {} is compressed; PyTorch's are not", where_, quote(name));
      }
      if (status.size > file_size - total_bytes_) {
        fail("{}: entry {} claims {} bytes, more than the file can hold", where_, quote(name),
             status.size);
      }
      total_bytes_ += status.size;
      if (!entries_.emplace(name, Entry{index, status.size}).second) {
        fail("{}: entry {} is there twice", where_, quote(name));
      }
    }
  }

  void find_prefix() {
    constexpr std::string_view kPickle = "/data.pkl";
    for (const auto& [name, entry] : entries_) {
      if (!name.ends_with(kPickle) || std::count(name.begin(), name.end(), '/') != 1) continue;
      if (!prefix_.empty()) fail("{}: it has two entries */data.pkl", where_);
      prefix_ = name.substr(0, name.size() - kPickle.size() + 1);
    }
    if (prefix_.empty()) fail("{}: not a PyTorch file: no entry */data.pkl", where_);
  }

  void check_byte_order() const {
    const std::string name = prefix_ + "byteorder";
    if (!entries_.contains(name)) return;  // older files have none and are little-endian
    constexpr uint64_t kLongest = 16;
    const auto bytes = read(name, kLongest);
    const std::string order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order != "little") fail("{}: byte order {}, expected 'little'", where_, quote(order));
  }

  std::vector<std::byte> read(const std::string& name, uint64_t max_bytes) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail("{}: no entry {} in the archive", where_, quote(name));
    const auto [index, size] = found->second;
    if (size > max_bytes) {
      fail("{}: entry {} has {} bytes, at most {} are expected", where_, quote(name), size,
           max_bytes);
    }
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
        zip_fopen_index(zip_.get(), index, 0), zip_fclose);
    if (!file) {
      fail("{}: entry {}: {}", where_, quote(name), zip_strerror(zip_.get()));
    }
    std::vector<std::byte> bytes(size);
    uint64_t done = 0;
    while (done < size) {
      const zip_int64_t count = zip_fread(file.get(), bytes.data() + done, size - done);
      if (count <= 0) fail_entry(name, file.get());
      done += static_cast<uint64_t>(count);
    }
    std::byte beyond{};  // reading on to the end makes the library compare the checksum
    if (zip_fread(file.get(), &beyond, 1) != 0) fail_entry(name, file.get());
    return bytes;
  }

  [[noreturn]] void fail_entry(const std::string& name, zip_file_t* file) const {
    fail("{}: entry {} is damaged: {}", where_, quote(name), zip_file_strerror(file));
  }

  struct Discard {
    void operator()(zip_t* zip) const { zip_discard(zip); }
  };

  std::string where_;
  std::unique_ptr<zip_t, Discard> zip_;
  std::map<std::string, Entry> entries_;
  std::string prefix_;  // with its slash
  uint64_t total_bytes_ = 0;
};

}  // namespace

bool is_torch_name(const std::filesystem::path& path) {
  return path.extension() == ".pth" || path.extension() == ".pt";
}

PickleValue read_torch_file(const std::filesystem::path& path) {
  const TorchArchive archive(path);
  return read_pickle(archive.pickle(), archive.pickle_name(), &archive);
}

}  // namespace dsf
