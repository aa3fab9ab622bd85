#include "engine/audio/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kernels/common/checks.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

double sound(double t, int channel = 0) {
  const double angle = 2 * std::numbers::pi * t;
  return 0.5 * std::sin(440 * angle + channel) + 0.3 * std::cos(3000 * angle - channel);
}

Audio make_audio(int rate, int64_t frames, int channels = 1) {
  Audio audio{rate, channels, {}};
  for (int64_t n = 0; n < frames; ++n) {
    for (int c = 0; c < channels; ++c) {
      audio.samples.push_back(static_cast<float>(sound(static_cast<double>(n) / rate, c)));
    }
  }
  return audio;
}

// Expected: julius 0.2.7, resample_frac of the same sound: first samples, the middle, the last.
TEST(Resample, AgreesWithJulius) {
  struct Case {
    int from, to;
    int64_t frames, length;
    std::vector<std::pair<size_t, float>> samples;
  };
  const Case cases[] = {
      {44100,
       48000,
       3000,
       3265,
       {{0, 0.3004341F}, {1, 0.3048796F}, {7, -0.0810972F}, {1632, 0.1756549F}, {3264, 0.059257F}}},
      {48000,
       44100,
       3000,
       2756,
       {{0, 0.3009651F},
        {1, 0.3039421F},
        {7, -0.0844556F},
        {1378, -0.5160019F},
        {2755, -0.2238912F}}},
      {8000,
       44100,
       800,
       4410,
       {{0, 0.3023409F},
        {1, 0.2543632F},
        {7, -0.0584757F},
        {2205, 0.2998572F},
        {4409, -0.3519812F}}},
      {96000,
       44100,
       4000,
       1837,
       {{0, 0.3028268F}, {1, 0.3040625F}, {7, -0.0843451F}, {918, 0.1360667F}, {1836, 0.6954939F}}},
      {22050,
       44100,
       1000,
       2000,
       {{0, 0.3008624F},
        {1, 0.294624F},
        {7, -0.0827188F},
        {1000, 0.2246219F},
        {1999, 0.0822045F}}}};
  for (const Case& expected : cases) {
    const Audio result = resample(make_audio(expected.from, expected.frames), expected.to);
    EXPECT_EQ(result.sample_rate, expected.to);
    ASSERT_EQ(result.frames(), expected.length);
    for (const auto& [place, value] : expected.samples) {
      // Both sum in float32: some 60 to 220 products below 1.
      EXPECT_NEAR(result.samples[place], value, 1e-6)
          << expected.from << " to " << expected.to << ", sample " << place;
    }
  }
}

// Far from the ends it is the same sound at other moments. How near is the filter's affair: a
// window of 48 zero crossings keeps the tones' levels to some 1e-4.
TEST(Resample, KeepsTones) {
  for (const int to : {11025, 22050, 32000, 48000, 88200}) {
    const Audio result = resample(make_audio(44100, 20000), to);
    double worst = 0;
    for (int64_t n = result.frames() / 10; n < result.frames() * 9 / 10; ++n) {
      worst = std::max(worst, std::abs(static_cast<double>(result.samples[static_cast<size_t>(n)]) -
                                       sound(static_cast<double>(n) / to)));
    }
    EXPECT_LT(worst, 3e-4) << to;
  }
}

TEST(Resample, ChannelsDoNotMix) {
  const Audio stereo = make_audio(44100, 5000, 2);
  const Audio result = resample(stereo, 48000);
  ASSERT_EQ(result.channels, 2);
  for (size_t c = 0; c < 2; ++c) {
    Audio mono{44100, 1, {}};
    for (size_t i = c; i < stereo.samples.size(); i += 2) mono.samples.push_back(stereo.samples[i]);
    const Audio expected = resample(mono, 48000);
    ASSERT_EQ(result.frames(), expected.frames());
    for (size_t n = 0; n < expected.samples.size(); ++n) {
      ASSERT_EQ(result.samples[2 * n + c], expected.samples[n]) << n;
    }
  }
}

// Enough frames that those behind the filter are dropped several times.
TEST(Resample, PartsChangeNothing) {
  const Audio audio = make_audio(48000, 300'000, 2);
  const Audio whole = resample(audio, 44100);
  Resampler resampler(2, 48000, 44100);
  std::vector<float> parts;
  const std::span<const float> samples(audio.samples);
  size_t size = 2;
  for (size_t begin = 0; begin < samples.size(); begin += size) {
    size = std::min(samples.size() - begin, (begin * 7919 % 20011 + 1) * 2);
    resampler.add(samples.subspan(begin, size), parts);
  }
  resampler.finish(parts);
  EXPECT_EQ(parts, whole.samples);
}

TEST(Resample, AConstantStaysOne) {
  const Audio audio{44100, 1, std::vector<float>(1000, 0.25F)};
  for (const float sample : resample(audio, 48000).samples) ASSERT_NEAR(sample, 0.25F, 1e-6);
}

TEST(Resample, SmallSoundsAreResampled) {
  EXPECT_EQ(resample(make_audio(44100, 0), 48000).frames(), 0);
  EXPECT_EQ(resample(make_audio(44100, 1), 48000).frames(), 1);
  EXPECT_EQ(resample(make_audio(48000, 1), 44100).frames(), 0);
}

TEST(Resample, EqualRatesChangeNothing) {
  const Audio audio = make_audio(44100, 100, 2);
  EXPECT_EQ(resample(audio, 44100).samples, audio.samples);
}

TEST(Resample, RefusesAbsurdRates) {
  testing::expect_error<Error>([] { resample(make_audio(44100, 100), 100); }, {"44100 to 100 Hz"});
  testing::expect_error<Error>([] { resample(make_audio(44100, 100), 0); }, {"44100 to 0 Hz"});
  testing::expect_error<Error>([] { Resampler(1, 999'983, 999'979); }, {"999983", "MiB"});
}

}  // namespace
}  // namespace dsf
