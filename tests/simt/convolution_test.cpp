// What convolutions are given to: tiles, where the blocks of a device have little shared memory,
// and cuDNN.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/codec/codec_decoder.h"
#include "kernels/common/convolution.h"
#include "kernels/common/device_memory.h"
#include "tests/random_codec.h"
#include "tests/simt/cudnn.h"
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

/// The sound of five frames of a random codec, and how many convolutions cuDNN was given.
struct Decoded {
  std::vector<float> sound;
  int64_t given;

  Decoded(Precision precision, Convolutions convolutions, bool has_plans) {
    Context ctx{Device::cuda, cuda::create_stream(), precision, convolutions};
    cudnn = {"", has_plans, 0};
    {
      const Codec codec(testing::RandomCodec(testing::small_codec({3, 2}, 32)).weights(), ctx);
      CodecDecoder decoder(codec, 5);
      const std::vector<int32_t> codes = testing::random_codes(codec.config(), 3 * 5, 1);
      const std::span<const float> samples = decoder.decode({codes.data(), {3, 5}});
      sound.assign(samples.begin(), samples.end());
    }
    given = cudnn.convolutions;
    cudnn = {};
    cuda::release_cudnn_memory(ctx.stream);
    cuda::release_stream(ctx.stream);
  }
};

TEST(SimtConvolution, IsCudnnsWhereItIsAskedForAndHasAPlan) {
  const Decoded own(Precision::fp32, Convolutions::own, true);
  EXPECT_EQ(own.given, 0);
  const Decoded through(Precision::fp32, Convolutions::cudnn, true);
  // The first layer; in each of two blocks one that is transposed and three units of two; not the
  // last layer, of one channel.
  EXPECT_EQ(through.given, 1 + 2 * (1 + 3 * 2));
  ASSERT_EQ(through.sound.size(), own.sound.size());
  EXPECT_NE(through.sound, own.sound) << "double sums";
  for (size_t i = 0; i < own.sound.size(); ++i) {
    ASSERT_NEAR(through.sound[i], own.sound[i], 1e-5) << i;
  }
}

TEST(SimtConvolution, IsOursWhereCudnnHasNoPlanAndInBf16) {
  const Decoded own(Precision::fp32, Convolutions::own, true);
  const Decoded without(Precision::fp32, Convolutions::cudnn, false);
  EXPECT_EQ(without.given, 0);
  EXPECT_EQ(without.sound, own.sound);
  const Decoded own_bf16(Precision::bf16, Convolutions::own, true);
  const Decoded bf16(Precision::bf16, Convolutions::cudnn, true);
  EXPECT_EQ(bf16.given, 0);
  EXPECT_EQ(bf16.sound, own_bf16.sound);
}

}  // namespace
}  // namespace dsf::simt
