#pragma once
// Entries of a zip archive that nobody vouches for.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct zip;

namespace dsf {

class ZipArchive {
 public:
  /// Reads the directory; `bytes` must outlive the archive, `source` names it in messages, and
  /// `expected` what it should be: "an .xlsx workbook". Raises an Error if it is damaged or no zip
  /// archive, saying what else it is where its beginning tells.
  ZipArchive(std::span<const std::byte> bytes, std::string source, std::string_view expected);
  /// The same of a file, whose entries are read from it when they are wanted.
  ZipArchive(const std::filesystem::path& path, std::string_view expected);

  /// What the directory says; the file may say anything.
  struct Entry {
    uint64_t index = 0;
    std::string name;
    uint64_t size = 0;
    uint64_t stored_size = 0;
    bool compressed = false;
  };
  std::vector<Entry> entries() const;
  bool contains(const std::string& name) const;
  /// An entry, inflated, its checksum verified. Raises an Error that names it if it is missing,
  /// encrypted or damaged, and if it is a bomb: above `max_bytes`, or above a megabyte and more
  /// than a hundred times as large as what it is stored in. Sizes are checked before anything is
  /// allocated, and what is inflated is never more than the size that was checked.
  std::string read(const std::string& name, uint64_t max_bytes) const;
  /// Fills `target`, whose size the caller has checked, with the entry; its checksum is verified.
  /// Errors, also that it is longer or shorter, begin with `where`.
  void read(uint64_t index, const std::string& where, std::span<std::byte> target) const;

 private:
  struct Discard {
    void operator()(zip* archive) const;
  };
  std::string source_;
  std::unique_ptr<zip, Discard> zip_;
};

}  // namespace dsf
