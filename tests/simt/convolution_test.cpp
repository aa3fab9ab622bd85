// Convolutions on tensor cores where the blocks of a device have little shared memory.
#include <gtest/gtest.h>

#include "kernels/common/convolution.h"
#include "tests/simt/simt.h"

namespace dsf::simt {
namespace {

/// In TF32: the tile of 3440 frames of 768 channels to 768, of an H100's multiprocessors.
std::string chosen(size_t shared_kib) {
  const Tensor x(nullptr, {1, 3440, 768});
  const cuda::Convolution c(x, x, {nullptr, {1, 768, 768}}, {}, 1);
  set_multiprocessors(132);
  set_max_shared_bytes(shared_kib * 1024);
  const size_t tile = cuda::chosen_tile(c);
  set_max_shared_bytes(kMaxSharedBytes);
  set_multiprocessors(kMultiprocessors);
  return cuda::kConvolutionTiles[tile];
}

TEST(SimtConvolution, TakesTilesThatTheDeviceHasSharedMemoryFor) {
  EXPECT_EQ(chosen(227), "128x96");  // its windows and weights take 84 KiB
  EXPECT_EQ(chosen(64), "64x64");    // 48 KiB
}

}  // namespace
}  // namespace dsf::simt
