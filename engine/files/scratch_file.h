#pragma once
// A file for what is needed until another one is written and is too much for memory.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace dsf {

/// It loses its name as soon as it is made, so that it ends with the process, however that ends.
/// Every failure (a full disk) is an Error.
class ScratchFile {
 public:
  /// In `folder`; `owner` is whom it is for, which messages name.
  ScratchFile(const std::filesystem::path& folder, std::string owner);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  /// All of it comes before the first read.
  void append(std::span<const std::byte> bytes);
  /// Fills `target` with the bytes from `offset` on; an Error if there are fewer.
  void read(uint64_t offset, std::span<std::byte> target);

 private:
  [[noreturn]] void fail_to(std::string_view action) const;

  std::string owner_;
  std::FILE* file_ = nullptr;
};

}  // namespace dsf
