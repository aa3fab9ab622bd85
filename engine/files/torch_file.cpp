#include "engine/files/torch_file.h"

#include <algorithm>
#include <map>

#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "engine/files/zip_archive.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kMaxPickleBytes = uint64_t{64} << 20;

/// The entries <prefix>/data.pkl, <prefix>/data/<key> … of an archive.
class TorchArchive : public StorageArchive {
 public:
  explicit TorchArchive(const std::filesystem::path& path)
      : where_(path.string()), archive_(path, "a PyTorch file") {
    list_entries(InputFile(path).size());
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
  /// Entries are stored as they are and none twice, so together they are no larger than the file.
  void list_entries(uint64_t file_size) {
    for (const ZipArchive::Entry& entry : archive_.entries()) {
      if (entry.compressed || entry.size != entry.stored_size) {
        fail("{}: entry {} is compressed; PyTorch's are not", where_, quote(entry.name));
      }
      if (entry.size > file_size - total_bytes_) {
        fail("{}: entry {} claims {} bytes, more than the file can hold", where_, quote(entry.name),
             entry.size);
      }
      total_bytes_ += entry.size;
      const auto [known, is_new] = entries_.emplace(entry.name, entry);
      if (!is_new) fail("{}: entry {} is there twice", where_, quote(known->first));
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
    const ZipArchive::Entry& entry = found->second;
    const std::string where = fmt::format("{}: entry {}", where_, quote(name));
    if (entry.size > max_bytes) {
      fail("{} has {} bytes, at most {} are expected", where, entry.size, max_bytes);
    }
    std::vector<std::byte> bytes(entry.size);
    archive_.read(entry.index, where, bytes);
    return bytes;
  }

  std::string where_;
  ZipArchive archive_;
  std::map<std::string, ZipArchive::Entry> entries_;
  std::string prefix_;  // with its slash
  uint64_t total_bytes_ = 0;
};

}  // namespace

bool is_torch_name(const std::filesystem::path& path) {
  return path.extension() == ".pth" || path.extension() == ".pt";
}

PickleValue read_torch_file(const std::filesystem::path& path, WithElements elements) {
  const TorchArchive archive(path);
  return read_pickle(archive.pickle(), archive.pickle_name(), &archive, elements);
}

}  // namespace dsf
