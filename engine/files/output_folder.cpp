#include "engine/files/output_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {

void prepare_output_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) {  // tried, not asked: access() tells root that all folders can be written to
    std::string probe = (folder / ".dsf-XXXXXX").string();
    const int descriptor = ::mkstemp(probe.data());
    if (descriptor < 0) {
      error.assign(errno, std::generic_category());
    } else {
      ::close(descriptor);
      ::unlink(probe.c_str());
    }
  }
  if (error) fail("{}: cannot write to this folder: {}", folder.string(), error.message());
}

void check_output_folder(const std::filesystem::path& folder) {
  struct Removal {
    std::vector<std::filesystem::path> folders;  // innermost first
    ~Removal() {
      for (const auto& path : folders) ::rmdir(path.c_str());  // never a file, never a full one
    }
  } removal;
  // Free of links and "..", so that what is missing now is what will have been made.
  std::error_code unknown;
  const std::filesystem::path given = std::filesystem::absolute(folder);
  std::filesystem::path whole = std::filesystem::weakly_canonical(given, unknown);
  if (unknown) whole = given.lexically_normal();
  for (std::filesystem::path path = whole; path.has_relative_path(); path = path.parent_path()) {
    if (std::filesystem::exists(std::filesystem::symlink_status(path, unknown))) break;
    removal.folders.push_back(path);
  }
  prepare_output_folder(whole);
}

void remove_output(const std::filesystem::path& file) {
  std::error_code error;
  std::filesystem::remove(file, error);
  if (error) fail("{}: cannot be removed: {}", file.string(), error.message());
}

}  // namespace dsf
