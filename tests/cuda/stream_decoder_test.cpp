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
std::vector<float> sound(const Context& ctx) {
  const Codec codec(RandomCodec(small_codec({3, 2})).weights(), ctx);
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

}  // namespace
}  // namespace dsf::testing
