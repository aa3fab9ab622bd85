#pragma once
// Entries of a zip archive that nobody vouches for.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct zip;

namespace dsf {

class ZipArchive {
 public:
  /// Reads the directory; `bytes` must outlive the archive, `source` names it in messages. Raises
  /// an Error if it is no zip archive or damaged.
  ZipArchive(std::span<const std::byte> bytes, std::string source);

  bool contains(const std::string& name) const;
  /// An entry, inflated, its checksum verified. Raises an Error that names it if it is missing,
  /// encrypted or damaged, and if it is a bomb: above `max_bytes`, or above a megabyte and more
  /// than a hundred times as large as what it is stored in. Sizes are checked before anything is
  /// allocated, and what is inflated is never more than the size that was checked.
  std::string read(const std::string& name, uint64_t max_bytes) const;

 private:
  struct Discard {
    void operator()(zip* archive) const;
  };
  std::string source_;
  std::unique_ptr<zip, Discard> zip_;
};

}  // namespace dsf
