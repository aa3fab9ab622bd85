#include "engine/files/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {

ScratchFile::ScratchFile(const std::filesystem::path& folder, std::string owner)
    : owner_(std::move(owner)) {
  std::string name = (folder / ".dsf-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) fail_to("create");
  ::unlink(name.c_str());
  file_ = ::fdopen(descriptor, "w+b");
  if (!file_) {
    const int error = errno;
    ::close(descriptor);
    errno = error;
    fail_to("open");
  }
}

ScratchFile::~ScratchFile() {
  std::fclose(file_);
}

void ScratchFile::append(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail_to("write");
}

void ScratchFile::read(uint64_t offset, std::span<std::byte> target) {
  if (std::fflush(file_) != 0) fail_to("write");
  if (::fseeko(file_, static_cast<off_t>(offset), SEEK_SET) != 0) fail_to("read");
  const size_t count = std::fread(target.data(), 1, target.size(), file_);
  if (count == target.size()) return;
  if (std::ferror(file_) != 0) fail_to("read");
  fail("{}: {} bytes are expected at offset {} of its temporary file, which has {} there", owner_,
       target.size(), offset, count);
}

void ScratchFile::fail_to(std::string_view action) const {
  fail("{}: cannot {} its temporary file: {}", owner_, action,
       std::generic_category().message(errno));
}

}  // namespace dsf
