// Every op that has a CUDA form, on a real GPU: the results are the CPU's within the case's
// tolerances, and the same bits again in a second run. Skipped where there is no GPU.
#include "tests/cuda_case.h"

namespace dsf::testing {
namespace {

class GpuOpTest : public ::testing::TestWithParam<const OpCase*> {
 protected:
  void SetUp() override {
    if (cuda::device_count() == 0) GTEST_SKIP() << "SKIPPED: no GPU";
  }
  static void run(GradientMode mode) {
    OpTensors host = make_tensors(*GetParam(), 5, mode);
    const CudaResults results = run_on_cuda(*GetParam(), host);
    EXPECT_TRUE(run_on_cuda(*GetParam(), host).same_bits(results));
    expect_as_on_cpu(*GetParam(), host, results);
  }
};

class GpuOpBackwardTest : public GpuOpTest {};

TEST_P(GpuOpTest, OverwritesAsOnTheCpu) {
  run(GradientMode::overwrite);
}

TEST_P(GpuOpBackwardTest, AccumulatesAsOnTheCpu) {
  run(GradientMode::accumulate);
}

INSTANTIATE_TEST_SUITE_P(Ops, GpuOpTest, ::testing::ValuesIn(cuda_cases()), test_name);
INSTANTIATE_TEST_SUITE_P(Ops, GpuOpBackwardTest, ::testing::ValuesIn(with_backward(cuda_cases())),
                         test_name);

}  // namespace
}  // namespace dsf::testing
