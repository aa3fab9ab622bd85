// The distances of two sounds, against values computed by hand.
#include "engine/audio/sound_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <vector>

#include "engine/audio/mel_bands.h"
#include "engine/audio/windowed_spectrum.h"
#include "kernels/common/checks.h"
#include "kernels/common/random.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

constexpr int kRate = 44100;

/// Even noise of this root mean square.
std::vector<float> noise(uint64_t seed, size_t count, double rms) {
  std::vector<float> samples(count);
  for (size_t i = 0; i < count; ++i) {
    const double unit = static_cast<double>(to_unit(random_words({seed, 1, 0}, i)[0]));
    samples[i] = static_cast<float>((2 * unit - 1) * std::numbers::sqrt3 * rms);
  }
  return samples;
}

std::vector<float> scaled(std::vector<float> samples, float factor) {
  for (float& sample : samples) sample *= factor;
  return samples;
}

TEST(WindowedSpectrumTest, IsTheTransformOfHannWindows) {
  const std::vector<float> x = noise(3, 40, 0.5);
  WindowedSpectrum spectrum(16);
  ASSERT_EQ(spectrum.bins(), 9U);
  for (const int64_t centre : {0, 5, 20, 39, 60}) {  // beyond the ends there is silence
    const auto found = spectrum.at(x, centre);
    for (int64_t k = 0; k < 9; ++k) {
      std::complex<double> sum = 0;
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t at = centre - 8 + i;
        if (at < 0 || at >= 40) continue;
        const double turn = 2 * std::numbers::pi / 16;
        const double window = 0.5 - 0.5 * std::cos(turn * static_cast<double>(i));
        sum += window * static_cast<double>(x[static_cast<size_t>(at)]) *
               std::polar(1.0, -turn * static_cast<double>(k * i));
      }
      // Sums of 16 floats of size 1.
      EXPECT_NEAR(std::abs(std::complex<double>(found[static_cast<size_t>(k)]) - sum), 0, 4e-6);
    }
  }
}

// Expected: librosa.filters.mel(sr=1000·2, n_fft=20, n_mels=3), whose scale is linear up to 1 kHz:
// triangles between 0, 250, 500, 750 and 1000 Hz of height 2/500, bins every 100 Hz.
TEST(MelBandsTest, AreTrianglesOfAreaOne) {
  const MelBands bands(3, 20, 2000);
  for (size_t bin = 0; bin <= 10; ++bin) {
    std::vector<float> magnitudes(11, 0.0F);
    magnitudes[bin] = 1;
    std::vector<double> found(3);
    bands.apply(magnitudes, found);
    for (size_t i = 0; i < 3; ++i) {
      const double hz = 100.0 * static_cast<double>(bin),
                   middle = 250.0 * (1 + static_cast<double>(i));
      EXPECT_NEAR(found[i], std::max(0.0, 1 - std::abs(hz - middle) / 250) / 250, 1e-15);
    }
  }
}

// Slaney's scale: 1 kHz is 15, 6.4 kHz is 42.
TEST(MelBandsTest, AreLogarithmicAboveOneKilohertz) {
  const MelBands bands(41, 12800, 12800);  // ends at 0, 1, 2 … 42 mel; bins every Hz
  std::vector<float> magnitudes(6401, 0.0F);
  const double low = 1000, middle = 1000 * std::pow(6.4, 1.0 / 27);
  const double high = 1000 * std::pow(6.4, 2.0 / 27);
  magnitudes[1050] = 1;
  std::vector<double> found(41);
  bands.apply(magnitudes, found);
  EXPECT_NEAR(found[15], (1050 - low) / (middle - low) * 2 / (high - low), 1e-12);
}

TEST(SoundDistanceTest, OfEqualSoundIsNone) {
  const std::vector<float> x = noise(1, 50000, 0.1);
  const SoundDistance same = sound_distance(x, x, kRate);
  EXPECT_EQ(same.mel, 0);
  EXPECT_EQ(same.log_spectral, 0);
  EXPECT_EQ(same.loudness, 0);
  EXPECT_EQ(same.si_sdr, std::numeric_limits<double>::infinity());
}

TEST(SoundDistanceTest, OfAGainIsItsLogarithm) {
  const std::vector<float> x = noise(1, 50000, 0.1);
  const SoundDistance half = sound_distance(x, scaled(x, 0.5F), kRate);
  // Exact but for the FFT's float rounding, which scales with the samples: halving is exact.
  EXPECT_NEAR(half.mel, std::log10(2.0), 1e-9);
  EXPECT_NEAR(half.log_spectral, 20 * std::log10(2.0), 1e-9);
  EXPECT_NEAR(half.loudness, -20 * std::log10(2.0), 1e-9);
  EXPECT_EQ(half.si_sdr, std::numeric_limits<double>::infinity());
  EXPECT_NEAR(sound_distance(scaled(x, 0.5F), x, kRate).loudness, 20 * std::log10(2.0), 1e-9);
}

TEST(SoundDistanceTest, WhatIsBelowTheFloorDoesNotCount) {
  const std::vector<float> silence(20000, 0.0F), faint = noise(1, 20000, 1e-9);
  EXPECT_EQ(sound_distance(silence, faint, kRate).mel, 0);
  // A sine of amplitude 1 has 512 in its bin, and half of that in both beside it.
  std::vector<float> sine(60000);
  for (size_t i = 0; i < sine.size(); ++i) {
    sine[i] =
        static_cast<float>(std::cos(2 * std::numbers::pi * 100 * static_cast<double>(i) / 2048));
  }
  WindowedSpectrum spectrum(2048);
  EXPECT_NEAR(std::abs(spectrum.at(sine, 30000)[100]), 512, 1e-3);
  EXPECT_NEAR(std::abs(spectrum.at(sine, 30000)[101]), 256, 1e-3);
}

TEST(SoundDistanceTest, OfAddedNoiseIsTheRatio) {
  const size_t count = 200000;
  const std::vector<float> x = noise(1, count, 0.1), added = noise(2, count, 0.1 * 0.1);
  std::vector<float> y = x;
  for (size_t i = 0; i < count; ++i) y[i] += added[i];
  // The two are uncorrelated up to 1/√count: that part of the noise counts as signal. At 20 dB it
  // is ± 20·log10(1 + 0.1/√count), and the powers themselves are ± 0.9/√count of theirs.
  EXPECT_NEAR(sound_distance(x, y, kRate).si_sdr, 20, 0.05);
  // Scale and a constant do not matter.
  std::vector<float> z = scaled(y, 0.25F);
  for (float& sample : z) sample += 0.01F;
  EXPECT_NEAR(sound_distance(x, z, kRate).si_sdr, sound_distance(x, y, kRate).si_sdr, 1e-4);
}

TEST(SoundDistanceTest, SiSdrOfFourSamples) {
  // Without means a = (1, −1, 1, −1), b = (2, −2, 0, 0): α = 4/4, rest = (1, −1, −1, 1).
  const std::vector<float> a = {2, 0, 2, 0}, b = {5, 1, 3, 3};
  EXPECT_NEAR(sound_distance(a, b, kRate).si_sdr, 0, 1e-12);
  const std::vector<float> flat = {1, 1, 1, 1};
  EXPECT_EQ(sound_distance(flat, b, kRate).si_sdr, -std::numeric_limits<double>::infinity());
}

TEST(SoundDistanceTest, SilenceIsNothingOfTheReference) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<float> x = noise(1, 20000, 0.1), silent(20000, 0.0F), constant(20000, 0.3F);
  for (const std::vector<float>& other : {silent, constant}) {
    EXPECT_EQ(sound_distance(x, other, kRate).si_sdr, -kInfinity);
    EXPECT_EQ(sound_distance(other, x, kRate).si_sdr, -kInfinity);
    EXPECT_EQ(sound_distance(other, silent, kRate).si_sdr, kInfinity);
  }
}

TEST(SoundDistanceTest, MeansAreNumbers) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto mean = [](const std::vector<double>& ratios) {
    std::vector<SoundDistance> distances;
    for (const double ratio : ratios) distances.push_back({1, 2, ratio, 3});
    return mean_distance(distances).si_sdr;
  };
  EXPECT_EQ(mean({10, 20}), 15);
  EXPECT_EQ(mean({10, kInfinity}), kInfinity);
  EXPECT_EQ(mean({10, -kInfinity}), -kInfinity);
  EXPECT_EQ(mean({kInfinity, 10, -kInfinity}), -kInfinity);
  EXPECT_EQ(mean({}), 0);
  // Of channels, too: the left is the same, the right is lost.
  const std::vector<float> left = noise(1, 20000, 0.1);
  std::vector<float> reference, other;
  for (const float sample : left) {
    reference.insert(reference.end(), {sample, sample});
    other.insert(other.end(), {sample, 0});
  }
  SoundComparison comparison(2, kRate);
  comparison.add(reference, other);
  EXPECT_EQ(comparison.finish().si_sdr, -kInfinity);
}

TEST(SoundDistanceTest, PartsChangeNothing) {
  const std::vector<float> x = noise(1, 2 * 100000, 0.1), y = noise(2, 2 * 100000, 0.1);
  SoundComparison whole(2, kRate), parts(2, kRate);
  whole.add(x, y);
  for (size_t i = 0, size = 2; i < x.size(); i += size, size = 2 * (size % 9973 + 1)) {
    size = std::min(size, x.size() - i);
    parts.add(std::span(x).subspan(i, size), std::span(y).subspan(i, size));
  }
  const SoundDistance a = whole.finish(), b = parts.finish();
  EXPECT_EQ(a.mel, b.mel);
  EXPECT_EQ(a.log_spectral, b.log_spectral);
  EXPECT_EQ(a.si_sdr, b.si_sdr);
  EXPECT_EQ(a.loudness, b.loudness);
}

TEST(SoundDistanceTest, ChannelsAreComparedOneByOne) {
  const std::vector<float> left = noise(1, 50000, 0.1), right = noise(2, 50000, 0.1);
  std::vector<float> reference, other;
  for (size_t i = 0; i < left.size(); ++i) {
    reference.insert(reference.end(), {left[i], right[i]});
    other.insert(other.end(), {0.5F * left[i], right[i]});  // half of it in one
  }
  SoundComparison comparison(2, kRate);
  comparison.add(reference, other);
  EXPECT_NEAR(comparison.finish().mel, std::log10(2.0) / 2, 1e-9);
}

TEST(SoundDistanceTest, RefusesWhatCannotBeCompared) {
  SoundComparison comparison(1, kRate);
  EXPECT_THROW(comparison.finish(), Error);
  const std::vector<float> x = {0, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(sound_distance(x, x, kRate), Error);
}

}  // namespace
}  // namespace dsf
