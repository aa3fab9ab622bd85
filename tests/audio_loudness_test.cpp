#include "engine/audio/loudness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

// Thirds of the signal: a tone, a hum 42 dB below it that the relative gate drops, a loud whistle.
std::vector<float> test_signal(int rate, int frames) {
  std::vector<float> samples;
  for (int n = 0; n < frames; ++n) {
    const double amplitude = n < frames / 3 ? 0.25 : n < 2 * (frames / 3) ? 0.002 : 0.5;
    const double frequency = n < frames / 3 ? 440 : n < 2 * (frames / 3) ? 97 : 3000;
    samples.push_back(
        static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * frequency * n / rate)));
  }
  return samples;
}

// Both sides compute in double: what is left is a last digit of sin in the signal here and there.
constexpr double kTolerance = 1e-7;  // LU

// Expected: pyloudnorm 0.2.0, Meter(rate).integrated_loudness(signal).
TEST(Loudness, AgreesWithPyloudnormOnWholeBlocks) {
  EXPECT_NEAR(integrated_loudness(test_signal(44100, 37 * 4410), 1, 44100), -8.995202654631843,
              kTolerance);
  EXPECT_NEAR(integrated_loudness(test_signal(16000, 23 * 1600), 1, 16000), -9.337379382442387,
              kTolerance);
}

TEST(Loudness, AgreesWithPyloudnormOnTwoChannels) {
  const std::vector<float> left = test_signal(44100, 37 * 4410);
  std::vector<float> samples;
  for (size_t n = 0; n < left.size(); ++n) {
    samples.push_back(left[n]);
    samples.push_back(0.5F * left[left.size() - 1 - n]);
  }
  EXPECT_NEAR(integrated_loudness(samples, 2, 44100), -8.196166598439588, kTolerance);
}

// pyloudnorm drops samples after the last whole block; `dac` fills a last block up with silence.
// Expected: pyloudnorm's filters, then the gating of BS.1770 over such blocks in NumPy.
TEST(Loudness, LastBlockIsFilledUpWithSilence) {
  EXPECT_NEAR(integrated_loudness(test_signal(44100, 100000), 1, 44100), -9.316021445266838,
              kTolerance);
}

// Expected: pyloudnorm on the signal and 0.25 s of silence.
TEST(Loudness, ShortSignalIsFilledUpToHalfASecond) {
  EXPECT_NEAR(integrated_loudness(test_signal(44100, 11025), 1, 44100), -12.54909921410725,
              kTolerance);
}

TEST(Loudness, SilenceHasTheFloor) {
  EXPECT_EQ(integrated_loudness({}, 1, 44100), kMinLoudness);
  EXPECT_EQ(integrated_loudness(std::vector<float>(50000, 0.0F), 1, 44100), kMinLoudness);
  std::vector<float> faint = test_signal(44100, 50000);
  for (float& sample : faint) sample *= 1e-4F;
  EXPECT_EQ(integrated_loudness(faint, 1, 44100), kMinLoudness);
}

// Where the shelf lies above half the rate nothing is raised; below it begins slowly.
TEST(Loudness, LowRatesAreMeasured) {
  for (const int rate : {100, 1000, 1499, 1600, 2000, 2900, 3000, 3001, 3200, 8000}) {
    std::vector<float> samples;
    uint32_t noise = 1;
    for (int n = 0; n < 5 * rate; ++n) {
      noise = noise * 1664525U + 1013904223U;
      samples.push_back(static_cast<float>(noise >> 8U) / 16777216.0F - 0.5F);
    }
    const double loud = integrated_loudness(samples, 1, rate);
    for (float& sample : samples) sample *= 0.5F;
    EXPECT_NEAR(integrated_loudness(samples, 1, rate) - loud, 20 * std::log10(0.5), 1e-9) << rate;
    // Even noise of ±0.5 has −10.8 dB, some of it below the high-pass; the shelf gives at most 4.
    if (rate > 1000) {
      EXPECT_TRUE(loud > -13.5 && loud < -7.4) << rate << ": " << loud;
    }
  }
}

TEST(Loudness, NormalizedSignalHasTheTarget) {
  std::vector<float> samples = test_signal(44100, 100000);
  // Not far below what it was: blocks that sink below the absolute gate would change the mean.
  normalize_loudness(samples, 1, 44100, -12.5);
  // The gain and every sample round to float: 2^-24 of a power is 5e-7 LU.
  EXPECT_NEAR(integrated_loudness(samples, 1, 44100), -12.5, 1e-6);
}

TEST(Loudness, RefusesWhatHasNone) {
  std::vector<float> samples(30000, 0.1F);
  samples[17] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(integrated_loudness(samples, 1, 44100), Error);
  EXPECT_THROW(integrated_loudness(std::vector<float>(30), 0, 44100), Error);
  EXPECT_THROW(integrated_loudness(std::vector<float>(30), 1, 0), Error);
  EXPECT_THROW(integrated_loudness(std::vector<float>(30), 1, 99), Error);
}

}  // namespace
}  // namespace dsf
