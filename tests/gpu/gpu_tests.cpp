// The tests of tests/cuda on a real GPU: the same results in a second run. Skipped where there is
// none.
#include <gtest/gtest.h>

#include <cstdio>

#include "kernels/common/device_memory.h"
#include "tests/cuda/orders.h"

namespace dsf::testing {

int orders() {
  return 2;
}

bool simulated() {
  return false;
}

void set_order(int) {}

}  // namespace dsf::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (dsf::cuda::device_count() == 0) {
    std::printf("SKIPPED: no GPU\n");
    return 0;
  }
  if (const std::string lacks = dsf::cuda::device_lacks(); !lacks.empty()) {
    std::printf("The GPU lacks %s\n", lacks.c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
