#pragma once
// What the fuzz targets share: an input as a file, and what a reader may do with it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/common/checks.h"

namespace dsf::fuzz {

/// A file that each input overwrites: readers take paths, and some look at the name's ending.
/// scripts/fuzz.sh has its folder in memory (TMPDIR), and removes it.
class Input {
 public:
  explicit Input(const std::string& ending)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("dsf-fuzz-{}{}", ::getpid(), ending)),
        descriptor_(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) std::abort();
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    ::close(descriptor_);
    std::filesystem::remove(path_);
  }

  const std::filesystem::path& write(std::string_view bytes) const {
    const auto size = static_cast<ssize_t>(bytes.size());
    if (::ftruncate(descriptor_, 0) != 0 ||
        ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) != size) {
      std::abort();
    }
    return path_;
  }

 private:
  std::filesystem::path path_;
  int descriptor_;
};

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// An Error is how a reader refuses a file. All else that it throws goes on, and is a finding.
template <class Reader>
void may_refuse(const Reader& reader) {
  try {
    reader();
  } catch (const Error& error) {
    if (std::string_view(error.what()).empty()) std::abort();  // it must say why
  }
}

}  // namespace dsf::fuzz
