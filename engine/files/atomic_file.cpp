#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// The file that writing to `path` replaces: where `path` is a symbolic link, what it points to,
/// which need not exist yet.
fs::path final_path(const fs::path& path) {
  constexpr int kMostLinks = 40;  // Linux's own limit
  fs::path target = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    const fs::path next = fs::read_symlink(target, error);
    if (error || links == kMostLinks) {
      fail("{}: cannot write: {}", path.string(), reason(error ? error.value() : ELOOP));
    }
    target = target.parent_path() / next;  // `next` itself, if it is absolute
  }
  const fs::file_status status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail("{}: cannot write: it exists and is not a regular file", path.string());
  }
  return target;
}

/// A new file in the final one's directory. Where the file system can do that, it has no name until
/// it is complete, and a killed process leaves nothing behind unless it is killed in the moment
/// between naming and renaming (no call replaces a file by one without a name); else it has a
/// temporary name from the beginning. Unless it was renamed, it is removed again.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& final)
      : final_(final), directory_(final.has_parent_path() ? final.parent_path() : ".") {
    int descriptor = create_nameless();
    if (descriptor < 0) {
      with_new_name([&] {
        descriptor = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        return descriptor >= 0;
      });
    }
    if (descriptor < 0) fail_to("create a file in its directory");
    struct stat old {};  // who may read a file does not change when it is written anew
    if (::stat(final_.c_str(), &old) == 0) ::fchmod(descriptor, old.st_mode & 0777U);
    file_ = ::fdopen(descriptor, "wb");
    if (!file_) {
      const int error = errno;
      ::close(descriptor);
      remove();
      fail("{}: cannot open it for writing: {}", final_.string(), reason(error));
    }
  }
  ~TemporaryFile() {
    if (file_) std::fclose(file_);  // what is in its buffer does not matter any more
    remove();
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::FILE* file() { return file_; }

  void commit() {
    if (std::fflush(file_) != 0) fail_to("write");
    if (::fsync(::fileno(file_)) != 0) fail_to("write it to the disk");
    if (name_.empty()) name_file();
    if (std::fclose(std::exchange(file_, nullptr)) != 0) fail_to("close");
    if (::rename(name_.c_str(), final_.c_str()) != 0) fail_to("replace");
    name_.clear();
    sync_directory();
  }

 private:
  static constexpr const char* kDescriptors = "/proc/self/fd";

  /// −1 where the file system has no such files, or where they could not be named later.
  int create_nameless() const {
    if (::access(kDescriptors, X_OK) != 0) return -1;
    return ::open(directory_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  }

  void name_file() {
    const std::string descriptor = fmt::format("{}/{}", kDescriptors, ::fileno(file_));
    const bool named = with_new_name([&] {
      return ::linkat(AT_FDCWD, descriptor.c_str(), AT_FDCWD, name_.c_str(), AT_SYMLINK_FOLLOW) ==
             0;
    });
    if (!named) fail_to("name it in its directory");
  }

  /// Sets name_ and calls `create`, which must fail with EEXIST if a file has that name: another
  /// process of this number (in another container) may have left one. False, and no name, if it
  /// fails for another reason.
  bool with_new_name(const std::function<bool()>& create) {
    static std::atomic<unsigned> counter{0};
    do {
      name_ = directory_ / fmt::format(".dsf-{}-{}.tmp", ::getpid(), counter++);
      if (create()) return true;
    } while (errno == EEXIST);
    const int error = errno;
    name_.clear();
    errno = error;
    return false;
  }

  void remove() const {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  [[noreturn]] void fail_to(std::string_view action) const {
    fail("{}: cannot {}: {}", final_.string(), action, reason(errno));
  }

  /// Makes the rename itself durable. Some file systems do not sync directories: the file is whole
  /// all the same, so only a failing disk (EIO) is reported.
  void sync_directory() const {
    const int descriptor = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    const bool failed = ::fsync(descriptor) != 0 && errno == EIO;
    ::close(descriptor);
    if (failed) fail("{}: cannot write its directory: {}", final_.string(), reason(EIO));
  }

  fs::path final_;
  fs::path directory_;
  fs::path name_;  // empty while it has none, and once it is renamed
  std::FILE* file_ = nullptr;
};

}  // namespace

InputFile::InputFile(fs::path path) : path_(std::move(path)), descriptor_(-1), size_(0) {
  // Non-blocking, so that opening a pipe does not wait for somebody to write into it.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail("{}: cannot open: {}", path_.string(), reason(errno));
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail("{}: it is {}, expected a regular file", path_.string(),
         known && S_ISDIR(status.st_mode) ? "a directory" : "something special");
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

void InputFile::read(uint64_t offset, std::span<std::byte> target) const {
  if (offset > size_ || target.size() > size_ - offset) {
    fail("{}: {} bytes are expected at offset {}, the file has {} in all", path_.string(),
         target.size(), offset, size_);
  }
  while (!target.empty()) {
    constexpr size_t kMostAtOnce = size_t{1} << 30;  // the system call's own limit is 2 GiB
    const ssize_t count = ::pread(descriptor_, target.data(), std::min(target.size(), kMostAtOnce),
                                  static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail("{}: cannot read at offset {}: {}", path_.string(), offset, reason(errno));
    }
    if (count == 0) fail("{}: it became shorter while it was read", path_.string());
    offset += static_cast<uint64_t>(count);
    target = target.subspan(static_cast<size_t>(count));
  }
}

std::vector<std::byte> read_file(const fs::path& path, uint64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes) {
    fail("{}: it has {} bytes, at most {} are expected", path.string(), file.size(), max_bytes);
  }
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return bytes;
}

void FileWriter::write(const void* bytes, size_t count) {
  if (count > 0 && std::fwrite(bytes, 1, count, file_) != count) {
    fail("{}: cannot write: {}", name_, reason(errno));
  }
}

void FileWriter::seek(uint64_t offset) {
  if (::fseeko(file_, static_cast<off_t>(offset), SEEK_SET) != 0) {  // writes what is in its buffer
    fail("{}: cannot write: {}", name_, reason(errno));
  }
}

void write_file_atomically(const fs::path& path, const std::function<void(FileWriter&)>& produce) {
  TemporaryFile temporary(final_path(path));
  FileWriter writer(temporary.file(), path.string());
  produce(writer);
  temporary.commit();
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  write_file_atomically(path, [&](FileWriter& writer) { writer.write(text); });
}

}  // namespace dsf
