#pragma once
// The devices that a test runs on: the CPU, and the simulated GPU where it is linked into the tests
// (sanitizer builds are without).
#include <vector>

#include "kernels/common/device_memory.h"

namespace dsf::testing {

inline std::vector<Context> contexts() {
  std::vector<Context> contexts{Context{}};
  if (cuda::allocate) contexts.push_back(Context{Device::cuda});
  return contexts;
}

}  // namespace dsf::testing
