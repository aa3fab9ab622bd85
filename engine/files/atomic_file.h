#pragma once
// Files read and written whole: a reader that trusts no size, and a writer after which there is
// either the complete new file or the untouched old one.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

/// A regular file open for reading. Every error names the file and, where one is meant, the offset.
class InputFile {
 public:
  /// Raises an Error if `path` is missing, not a regular file or cannot be opened.
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }  // bytes
  /// Fills `target` with the bytes from `offset` on; an Error if the file has fewer.
  void read(uint64_t offset, std::span<std::byte> target) const;

 private:
  std::filesystem::path path_;
  int descriptor_;
  uint64_t size_;
};

/// All bytes of a regular file; an Error if there are more than `max_bytes`.
std::vector<std::byte> read_file(const std::filesystem::path& path, uint64_t max_bytes);

/// Takes what a file is to contain, in order, but where `seek` says otherwise. Every failure (a
/// full disk) is an Error.
class FileWriter {
 public:
  FileWriter(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {}

  void write(const void* bytes, size_t count);
  void write(std::span<const std::byte> bytes) { write(bytes.data(), bytes.size()); }
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// What is written next goes to this offset: into a header that says what came after it.
  void seek(uint64_t offset);

 private:
  std::FILE* file_;
  std::string name_;  // of the final file, for messages
};

/// Replaces or creates `path` by what `produce` writes: into a temporary file of the same
/// directory, which is synced and renamed. If anything fails, or `produce` throws, the temporary
/// file is removed, an old file stays as it was, and the error (naming file and reason) goes on.
/// After a kill or a power cut, too, `path` is whole, old or new. A file .dsf-….tmp may then be
/// left beside it: on file systems without nameless files (O_TMPFILE) at any time of the writing,
/// on others only between its last two steps. A symbolic link stays one: its target is replaced.
/// Permissions stay as they were. Anything but a regular file is refused.
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(FileWriter&)>& produce);

/// The same for a file that is one piece of text.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace dsf
