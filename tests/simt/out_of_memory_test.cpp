// What goes on after the device had too little memory for something.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "engine/codec/dac_encoding.h"
#include "kernels/common/device_memory.h"
#include "tests/expect_error.h"
#include "tests/random_codec.h"
#include "tests/simt/simt.h"

namespace dsf::simt {
namespace {

Audio sine(const CodecConfig& config, int64_t frames) {
  Audio audio{static_cast<int>(config.sample_rate), 1, {}};
  for (int64_t i = 0; i < frames * config.hop(); ++i) {
    audio.samples.push_back(0.5F * std::sin(0.3F * static_cast<float>(i)));
  }
  return audio;
}

TEST(SimtOutOfMemory, AnEncoderGoesOnWithShorterSound) {
  const CodecConfig config = testing::small_codec({3, 2});
  testing::RandomCodec random(config);
  random.add_encoder();
  static void* const stream = cuda::create_stream();
  const Codec codec(random.weights(), {Device::cuda, stream}, CodecUse::encode);
  DacEncoder encoder(codec, {3, 3600, std::nullopt});
  const auto encode = [&](const Audio& audio) {
    AudioView source(audio);
    return encoder.encode(source).value();
  };
  const Audio little = sine(config, 20);
  const DacFile expected = encode(little);
  set_max_allocation(64 * 1024);
  testing::expect_error<Error>([&] { encode(sine(config, 8000)); }, {"out of memory"});
  EXPECT_EQ(encode(little), expected);
  set_max_allocation(kAnyAllocation);
}

}  // namespace
}  // namespace dsf::simt
