// An op without a CUDA form says so.
#include "kernels/common/dispatch.h"

#include "tests/expect_error.h"

namespace dsf {

DSF_OP(void cpu_only_op(const Context& ctx, int* calls))

namespace cpu {
void cpu_only_op(const Context&, int* calls) {
  ++*calls;
}
}  // namespace cpu

void cpu_only_op(const Context& ctx, int* calls) {
  DSF_DISPATCH(cpu_only_op, ctx, calls);
}

TEST(Dispatch, AnOpWithoutACudaFormSaysSo) {
  int calls = 0;
  cpu_only_op(Context{}, &calls);
  EXPECT_EQ(calls, 1);
  testing::expect_error<MissingForm>([&] { cpu_only_op(Context{Device::cuda}, &calls); },
                                     {"cpu_only_op has no CUDA form yet: it runs on the CPU only"});
  EXPECT_EQ(calls, 1);
}

}  // namespace dsf
