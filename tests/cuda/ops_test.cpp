// Every op on the GPU that is linked into the program, a simulated or a real
// one: the results are the CPU's within the case's tolerances, and the same bits in every order.
#include "tests/cuda/orders.h"
#include "tests/cuda_case.h"

namespace dsf::testing {
namespace {

class CudaOpTest : public ::testing::TestWithParam<const OpCase*> {
 protected:
  static void run(GradientMode mode) {
    const OpCase& op_case = *GetParam();
    OpTensors host = make_tensors(op_case, 5, mode);
    CudaResults results;
    in_all_orders([&](int order) {
      CudaResults these = run_on_cuda(op_case, host);
      if (order > 0) {
        EXPECT_TRUE(these.same_bits(results)) << "order " << order;
      }
      results = std::move(these);
    });
    expect_as_on_cpu(op_case, host, results);
  }
};

class CudaOpBackwardTest : public CudaOpTest {};

TEST_P(CudaOpTest, OverwritesAsOnTheCpu) {
  run(GradientMode::overwrite);
}

// Tensors that lie side by side in one buffer, as a model's weights do, need not fit vectors.
TEST_P(CudaOpTest, TakesTensorsThatDoNotFitVectors) {
  OpTensors host = make_tensors(*GetParam(), 6, GradientMode::overwrite);
  const CudaResults results = run_on_cuda(*GetParam(), host, 1);
  expect_as_on_cpu(*GetParam(), host, results);
}

TEST_P(CudaOpBackwardTest, AccumulatesAsOnTheCpu) {
  run(GradientMode::accumulate);
}

INSTANTIATE_TEST_SUITE_P(Ops, CudaOpTest, ::testing::ValuesIn(cuda_cases()), test_name);
INSTANTIATE_TEST_SUITE_P(Ops, CudaOpBackwardTest, ::testing::ValuesIn(with_backward(cuda_cases())),
                         test_name);

}  // namespace
}  // namespace dsf::testing
