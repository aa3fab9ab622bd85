// Every op that has a CUDA form, on the simulated GPU: the results are the CPU's within the case's
// tolerances, and the same bits in every schedule.
#include "tests/cuda_case.h"
#include "tests/simt/simt.h"

namespace dsf::testing {
namespace {

class SimtOpTest : public ::testing::TestWithParam<const OpCase*> {
 protected:
  static void run(GradientMode mode) {
    const OpCase& op_case = *GetParam();
    OpTensors host = make_tensors(op_case, 5, mode);
    simt::set_schedule(0);
    const CudaResults results = run_on_cuda(op_case, host);
    for (int seed = 1; seed < simt::schedules(); ++seed) {
      simt::set_schedule(static_cast<uint64_t>(seed));
      EXPECT_TRUE(run_on_cuda(op_case, host).same_bits(results)) << "schedule " << seed;
    }
    simt::set_schedule(0);
    expect_as_on_cpu(op_case, host, results);
  }
};

class SimtOpBackwardTest : public SimtOpTest {};

TEST_P(SimtOpTest, OverwritesAsOnTheCpu) {
  run(GradientMode::overwrite);
}

// Tensors that lie side by side in one buffer, as a model's weights do, need not fit vectors.
TEST_P(SimtOpTest, TakesTensorsThatDoNotFitVectors) {
  OpTensors host = make_tensors(*GetParam(), 6, GradientMode::overwrite);
  const CudaResults results = run_on_cuda(*GetParam(), host, 1);
  expect_as_on_cpu(*GetParam(), host, results);
}

TEST_P(SimtOpBackwardTest, AccumulatesAsOnTheCpu) {
  run(GradientMode::accumulate);
}

INSTANTIATE_TEST_SUITE_P(Ops, SimtOpTest, ::testing::ValuesIn(cuda_cases()), test_name);
INSTANTIATE_TEST_SUITE_P(Ops, SimtOpBackwardTest, ::testing::ValuesIn(with_backward(cuda_cases())),
                         test_name);

}  // namespace
}  // namespace dsf::testing
