// An op without a CUDA form says so.
#include "kernels/common/dispatch.h"

#include "tests/expect_error.h"
#include "tests/simt/cudnn.h"
#include "tests/simt/simt.h"

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

TEST(Dispatch, AGpuThatCannotRunTheEngineIsNoDevice) {
  simt::set_abilities(false, true);
  testing::expect_error<UsageError>(
      [] { make_context("cuda"); },
      {"--device cuda: the GPU that CUDA uses lacks kernels of this program for its compute "
       "capability, 9.0 (CUDA says: no kernel image",
       "CMAKE_CUDA_ARCHITECTURES; available: cpu"});
  simt::set_abilities(true, false);
  testing::expect_error<UsageError>([] { make_context("cuda"); },
                                    {"lacks cooperative launches", "available: cpu"});
  simt::set_abilities(true, true);
  EXPECT_EQ(make_context("cuda").device, Device::cuda);
}

TEST(Dispatch, ConvolutionsAreWhoseTheContextSays) {
  EXPECT_EQ(make_context("cuda").convolutions, Convolutions::own);
  EXPECT_EQ(make_context("cuda", "fp32", "cudnn").convolutions, Convolutions::cudnn);
  testing::expect_error<UsageError>([] { make_context("cuda", "fp32", "cuDNN"); },
                                    {"--convolutions cuDNN: unknown, expected own or cudnn"});
  testing::expect_error<UsageError>([] { make_context("cpu", "fp32", "cudnn"); },
                                    {"--convolutions cudnn: with --device cuda only"});
  simt::cudnn.lacks = "libcudnn.so.9 is nowhere";
  testing::expect_error<UsageError>(
      [] { make_context("cuda", "fp32", "cudnn"); },
      {"--convolutions cudnn: libcudnn.so.9 is nowhere; available: own"});
  simt::cudnn.lacks = "";
}

TEST(Dispatch, AStreamLivesAsLongAsItsContexts) {
  const int64_t before = simt::host_calls().streams;
  {
    Context copy;
    {
      const Context ctx = make_context("cuda");
      copy = ctx;
    }
    EXPECT_EQ(simt::host_calls().streams - before, 1);
  }
  EXPECT_EQ(simt::host_calls().streams, before);
}

}  // namespace dsf
