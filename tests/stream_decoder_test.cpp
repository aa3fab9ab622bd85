// A sound that is decoded as its frames come is the sound that is decoded whole.
#include "engine/codec/stream_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "tests/op_checks.h"
#include "tests/random_codec.h"
#include "tests/without_bf16.h"
#include "tests/worst.h"

namespace dsf {
namespace {

using testing::random_codes;
using testing::RandomCodec;
using testing::small_codec;

// Even, odd and mixed rates, a rate of 1, which loses a whole frame, one whose cut is longer than a
// convolution's padding, and the official ones.
const std::vector<std::vector<int64_t>> kRates = {{4, 2},    {3, 5}, {5, 2, 3},   {2},
                                                  {1, 1, 3}, {16},   {8, 8, 4, 2}};

/// Codes [N, T] as a decoder gets them: `parts` frames at a time, over and over.
std::vector<float> streamed(StreamDecoder& decoder, const std::vector<int32_t>& codes,
                            int64_t frames, const std::vector<int64_t>& parts) {
  const int64_t codebooks = static_cast<int64_t>(codes.size()) / frames;
  std::vector<float> sound;
  int64_t first = 0;
  for (size_t i = 0; first < frames; ++i) {
    const int64_t count = std::min(parts[i % parts.size()], frames - first);
    std::vector<int32_t> part;
    for (int64_t n = 0; n < codebooks; ++n) {
      const auto row = codes.begin() + n * frames + first;
      part.insert(part.end(), row, row + count);
    }
    first += count;
    const auto samples = decoder.decode({part.data(), {codebooks, count}}, first == frames);
    sound.insert(sound.end(), samples.begin(), samples.end());
  }
  return sound;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = testing::worse(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

TEST(StreamDecoder, PartsAreTheWhole) {
  double largest = 0;
  for (const auto& rates : kRates) {
    const bool wide = rates.size() == 1;  // so that play is by minimal filtering
    const Codec codec(RandomCodec(small_codec(rates, wide ? 64 : 16)).weights(), {},
                      CodecUse::play);
    StreamDecoder decoder(codec, 16);
    for (const int64_t frames : {1, 2, 3, 9, 60}) {
      if (frames < 3 && rates.front() == 1) continue;  // each rate of 1 loses a frame
      const std::vector<int32_t> codes = random_codes(codec.config(), 3, frames);
      const std::vector<float> whole = codec.decode({codes.data(), {3, frames}});
      for (const std::vector<int64_t>& parts :
           {std::vector<int64_t>{1}, {2}, {5}, {16}, {1, 16, 0, 3}}) {
        const double difference =
            largest_difference(streamed(decoder, codes, frames, parts), whole);
        EXPECT_LE(difference, 1e-5)
            << fmt::format("rates {}, {} frames, parts of {}", fmt::join(rates, ","), frames,
                           fmt::join(parts, ","));
        largest = testing::worse(largest, difference);
      }
    }
  }
  std::printf("    streamed against whole: at most %.1e, limit 1e-5\n", largest);
}

double distance(const std::vector<float>& expected, const std::vector<float>& values) {
  EXPECT_EQ(values.size(), expected.size());
  return testing::relative_error({values.begin(), values.end()},
                                 {expected.begin(), expected.end()});
}

// Seven layers of 32 channels or more round twice each. What a part computes may differ from the
// whole by 2^-20, and then one number in 2^-20 / 2^-8 is rounded to another neighbour: the error is
// that of all roundings by the root of that.
TEST(StreamDecoder, InBf16PartsAreTheWholeNearFloat32) {
  if (!onednn::has_bf16()) GTEST_SKIP() << testing::kWithoutBf16;
  const RandomCodec random(small_codec({8}, 64));
  const Context bf16 = make_context("cpu", "bf16");
  const Codec exact(random.weights()), codec(random.weights(), bf16, CodecUse::play);
  const std::vector<int32_t> codes = random_codes(codec.config(), 3, 60);
  const std::vector<float> whole = codec.decode({codes.data(), {3, 60}});
  const double rounding = distance(exact.decode({codes.data(), {3, 60}}), whole);
  EXPECT_LE(rounding, std::sqrt(14.0) * 0x1p-8);
  EXPECT_GE(rounding, 0x1p-11);
  StreamDecoder decoder(codec, 16);
  for (const std::vector<int64_t>& parts : {std::vector<int64_t>{1}, {5}, {16}}) {
    EXPECT_LE(distance(whole, streamed(decoder, codes, 60, parts)), rounding / 64);
  }
}

// What is still to come cannot change a sample that was given, and none is held back for longer.
TEST(StreamDecoder, GivesSamplesAsSoonAsTheyAreKnown) {
  for (const auto& rates : kRates) {
    const Codec codec(RandomCodec(small_codec(rates)).weights());
    StreamDecoder decoder(codec, 1);
    const int64_t frames = 40, after = codec.geometry().reach(true).after;
    const std::vector<int32_t> codes = random_codes(codec.config(), 3, frames);
    int64_t samples = 0;
    for (int64_t t = 0; t < frames; ++t) {
      std::vector<int32_t> frame;
      for (int64_t n = 0; n < 3; ++n) frame.push_back(codes[static_cast<size_t>(n * frames + t)]);
      samples += std::ssize(decoder.decode({frame.data(), {3, 1}}));
      EXPECT_GE(samples, (t + 1 - after) * codec.config().hop()) << fmt::format("{}", t);
    }
    EXPECT_LT(samples, frames * codec.config().hop());
  }
}

TEST(StreamDecoder, BeginsAnew) {
  const Codec codec(RandomCodec(small_codec({3, 2})).weights());
  StreamDecoder decoder(codec, 8);
  const std::vector<int32_t> codes = random_codes(codec.config(), 3, 30);
  const std::vector<float> first = streamed(decoder, codes, 30, {8});
  EXPECT_EQ(streamed(decoder, codes, 30, {8}), first);
  decoder.decode({codes.data(), {3, 7}});
  decoder.restart();
  EXPECT_EQ(streamed(decoder, codes, 30, {8}), first);
  EXPECT_THROW(decoder.decode({codes.data(), {3, 9}}), Error);
  const Codec losing(RandomCodec(small_codec({1, 1, 3})).weights());
  StreamDecoder too_short(losing, 8);
  EXPECT_THROW(too_short.decode({codes.data(), {3, 2}}, true), Error);
}

}  // namespace
}  // namespace dsf
