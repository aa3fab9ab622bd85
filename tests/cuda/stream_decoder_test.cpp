// A codec's streaming decoder on the GPU that is linked into the program, beside the CPU's.
#include "engine/codec/stream_decoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/common/device_memory.h"
#include "tests/cuda/orders.h"
#include "tests/random_codec.h"
#include "tests/worst.h"

namespace dsf::testing {
namespace {

/// The sound of seven frames, which come one, four and two at a time.
std::vector<float> sound(const Context& ctx, int64_t decoder_dim = 16) {
  const Codec codec(RandomCodec(small_codec({3, 2}, decoder_dim)).weights(), ctx);
  StreamDecoder decoder(codec, 4);
  const std::vector<int32_t> codes = random_codes(codec.config(), 3 * 7, 1);
  std::vector<float> samples;
  int64_t first = 0;
  for (const int64_t count : {1, 4, 2}) {
    const auto part = decoder.decode({codes.data() + 3 * first, {3, count}}, first + count == 7);
    samples.insert(samples.end(), part.begin(), part.end());
    first += count;
  }
  return samples;
}

TEST(CudaStreamDecoder, IsTheCpus) {
  static void* const stream = cuda::create_stream();
  const Context gpu{Device::cuda, stream};
  const std::vector<float> expected = sound(Context{}), samples = sound(gpu);
  ASSERT_EQ(samples.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    largest = worse(largest, std::abs(samples[i] - expected[i]));
  }
  EXPECT_LE(largest, 1e-5);
  in_other_orders([&](int order) { EXPECT_EQ(sound(gpu), samples) << "order " << order; });
}

/// Of the norm of `expected`.
double distance(const std::vector<float>& expected, const std::vector<float>& values) {
  EXPECT_EQ(values.size(), expected.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < std::min(values.size(), expected.size()); ++i) {
    error += std::pow(double{values[i]} - expected[i], 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(error / norm);
}

// Weights that were rounded when they were loaded, numbers between convolutions rounded where they
// are written (the whole) or where they are read (the stream). Eleven layers round twice each.
TEST(CudaStreamDecoder, InBf16IsTheWholes) {
  static void* const stream = cuda::create_stream();
  const Context gpu{Device::cuda, stream, Precision::bf16};
  const CodecConfig config = small_codec({3, 2}, 32);
  const Codec codec(RandomCodec(config).weights(), gpu);
  const std::vector<int32_t> codes = random_codes(config, 3 * 7, 1);
  std::vector<int32_t> by_codebook;
  for (size_t n = 0; n < 3; ++n) {
    size_t first = 0;
    for (const size_t count : {1, 4, 2}) {
      const auto from = codes.begin() + static_cast<ptrdiff_t>(3 * first + n * count);
      by_codebook.insert(by_codebook.end(), from, from + static_cast<ptrdiff_t>(count));
      first += count;
    }
  }
  const std::vector<float> whole = codec.decode({by_codebook.data(), {3, 7}}, true);
  const std::vector<float> exact = sound(Context{}, 32);
  EXPECT_LT(distance(whole, sound(gpu, 32)), 2e-3) << "but for sums that round to another number";
  EXPECT_LT(distance(exact, whole), std::sqrt(2.0 * 11) * 0x1p-8);
  EXPECT_GT(distance(exact, whole), 0x1p-12) << "rounded";
}

}  // namespace
}  // namespace dsf::testing
