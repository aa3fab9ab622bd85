#pragma once
#include <filesystem>

namespace dsf {

/// Keeps a folder for one process at a time, as long as the object lives. It leaves nothing behind,
/// however the process ends.
class FolderLock {
 public:
  /// A UsageError where another process has the folder. Where its file system knows no locks, it is
  /// had without one.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace dsf
