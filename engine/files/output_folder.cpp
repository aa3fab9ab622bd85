#include "engine/files/output_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

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

}  // namespace dsf
