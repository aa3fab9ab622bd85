#include "kernels/common/dispatch.h"

#include "kernels/common/device_memory.h"

namespace dsf::detail {

void fail_without_cuda_form(const char* function) {
  if (!cuda::allocate) {
    throw MissingForm(fmt::format("{}: this program was built without CUDA", function));
  }
  throw MissingForm(fmt::format("{} has no CUDA form yet: it runs on the CPU only", function));
}

}  // namespace dsf::detail
