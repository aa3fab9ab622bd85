// Convolutions on tensor cores where the blocks of a device have little shared memory.
#include <gtest/gtest.h>

#include "kernels/common/convolution.h"
#include "tests/simt/simt.h"

namespace dsf::simt {
namespace {

/// The tile of 3440 frames of 768 channels to 768, of an H100's multiprocessors.
std::string chosen(Precision precision, size_t shared_kib) {
  const Context ctx{Device::cuda, nullptr, precision};
  const Tensor x(nullptr, {1, 3440, 768});
  const cuda::Convolution c(x, x, {nullptr, {1, 768, 768}}, {}, 1);
  set_multiprocessors(132);
  set_max_shared_bytes(shared_kib * 1024);
  const size_t tile = cuda::chosen_tile(ctx, c);
  set_max_shared_bytes(kMaxSharedBytes);
  set_multiprocessors(kMultiprocessors);
  return cuda::kConvolutionTiles[tile];
}

TEST(SimtConvolution, TakesTilesThatTheDeviceHasSharedMemoryFor) {
  for (const Precision precision : {Precision::tf32, Precision::bf16}) {
    EXPECT_EQ(chosen(precision, 227), "256x96");  // its sums take 112 KiB
    EXPECT_NE(chosen(precision, 99), "256x96");
  }
}

}  // namespace
}  // namespace dsf::simt
