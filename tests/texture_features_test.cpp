// Features of textures: of signals whose answer is known, and along the textures' parameters.
#include "engine/audio/texture_features.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "engine/textures/building_blocks.h"
#include "engine/textures/texture.h"

namespace dsf {
namespace {

constexpr int kRate = kTextureSampleRate;

std::vector<float> noise(double seconds, uint64_t seed) {
  RandomSequence random({seed, 0, 0}, 0);
  std::vector<float> sound(static_cast<size_t>(seconds * kRate));
  for (float& sample : sound) sample = static_cast<float>(0.1 * random.normal());
  return sound;
}

// ---- Known answers ----

TEST(TextureFeatures, EventsAreCounted) {
  for (const double rate : {2.0, 30.0, 90.0}) {
    std::vector<float> sound = noise(10, 1);
    for (size_t i = 0; i < sound.size(); ++i) {
      const double t = static_cast<double>(i) / kRate;
      const double since = t - std::floor(t * rate) / rate;
      sound[i] *= static_cast<float>(std::exp(-since / 0.003) + 0.001);
    }
    EXPECT_NEAR(event_rate(sound, kRate), rate, 0.02 * rate + 0.1) << rate;
  }
}

TEST(TextureFeatures, SteadySoundHasFewEvents) {
  EXPECT_LT(event_rate(noise(10, 2), kRate), 1);
}

// Up and down by 24 dB twice a second, with ripples that rise by more than
// 6 dB and fall by less on the way up.
TEST(TextureFeatures, ARiseWithRipplesIsOneEvent) {
  std::vector<float> sound(static_cast<size_t>(10 * kRate));
  for (size_t i = 0; i < sound.size(); ++i) {
    const double t = static_cast<double>(i) / kRate;
    const double slow = 24 * std::abs(2 * (2 * t - std::floor(2 * t)) - 1);
    const double ripple = static_cast<int>(100 * t) % 2 == 0 ? 0 : 5.4;
    const double tone = std::sin(2 * std::numbers::pi * 3000 * t);
    sound[i] = static_cast<float>(0.01 * from_decibels(slow + ripple) * tone);
  }
  EXPECT_NEAR(event_rate(sound, kRate), 2, 0.11);
}

TEST(TextureFeatures, ATonesCentroidIsItsFrequency) {
  for (const int sample_rate : {kRate, 22050}) {
    std::vector<float> sound(static_cast<size_t>(sample_rate));
    for (size_t i = 0; i < sound.size(); ++i) {
      const double t = static_cast<double>(i) / sample_rate;
      sound[i] = static_cast<float>(std::sin(2 * std::numbers::pi * 1000 * t));
    }
    EXPECT_NEAR(spectral_centroid(sound, sample_rate), 1000, 30) << sample_rate;  // half a band
  }
}

TEST(TextureFeatures, GustsHaveTheirDepth) {
  std::vector<float> sound = noise(60, 3);
  for (size_t i = 0; i < sound.size(); ++i) {
    const double t = static_cast<double>(i) / kRate;
    const double decibels = 6 * std::sin(2 * std::numbers::pi * t / 10);
    sound[i] *= static_cast<float>(std::pow(10, decibels / 20));
  }
  EXPECT_NEAR(gust_depth(sound, kRate), 6 / std::numbers::sqrt2, 0.2);
  EXPECT_LT(gust_depth(noise(60, 4), kRate), 0.3);
}

// A tone that jumps to a random pitch every 1/rate: spectra at a lag of half of that are, on
// average, half as unlike as at independent times.
TEST(TextureFeatures, MovementIsMeasuredByItsSpeed) {
  for (const double rate : {1.0, 4.0}) {
    RandomSequence random({5, 0, 0}, 0);
    std::vector<float> sound(static_cast<size_t>(40 * kRate));
    double phase = 0, frequency = 0;
    const auto hold = static_cast<size_t>(kRate / rate);
    for (size_t i = 0; i < sound.size(); ++i) {
      if (i % hold == 0) frequency = 200 * std::exp2(random.uniform(0, 4));
      phase += 2 * std::numbers::pi * frequency / kRate;
      sound[i] = static_cast<float>(std::sin(phase));
    }
    EXPECT_NEAR(movement_rate(sound, kRate), 2 * rate, 0.5 * rate) << rate;
  }
}

TEST(TextureFeatures, SilenceAndShortSoundsHaveNone) {
  for (const size_t frames : {0, 1, 100, 44100}) {
    const std::vector<float> silence(frames, 0.0F);
    EXPECT_EQ(event_rate(silence, kRate), 0);
    EXPECT_EQ(spectral_centroid(silence, kRate), 0);
    EXPECT_EQ(gust_depth(silence, kRate), 0);
    EXPECT_EQ(movement_rate(silence, kRate), 0);
  }
}

// ---- Along the parameter ----

struct Followed {
  TextureKind kind;
  const char* name;
  double (*feature)(std::span<const float>, int);
  bool logarithmic;  // the parameter moves the feature by octaves
};

class FeatureOfTexture : public ::testing::TestWithParam<Followed> {};

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sx += x[i];
    sy += y[i];
    sxx += x[i] * x[i];
    syy += y[i] * y[i];
    sxy += x[i] * y[i];
  }
  return (sxy - sx * sy / count) / std::sqrt((sxx - sx * sx / count) * (syy - sy * sy / count));
}

TEST_P(FeatureOfTexture, FollowsTheParameter) {
  const Followed& followed = GetParam();
  std::vector<double> parameters, features, means;
  for (const double parameter : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    constexpr int kSeeds = 4;
    double sum = 0;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const Audio audio = make_texture({followed.kind, parameter, 10, seed, 0});
      const double measured = followed.feature(audio.samples, audio.sample_rate);
      ASSERT_GT(measured, 0);
      parameters.push_back(parameter);
      features.push_back(followed.logarithmic ? std::log2(measured) : measured);
      sum += features.back();
    }
    means.push_back(sum / kSeeds);
  }
  const double r = correlation(parameters, features);
  std::string text;
  for (const double value : means) {
    text += fmt::format(" {:.2f}", followed.logarithmic ? std::exp2(value) : value);
  }
  fmt::print("{}: r {:.3f}, means along the parameter{}\n", followed.name, r, text);
  EXPECT_GE(r, 0.9);
  EXPECT_TRUE(std::ranges::is_sorted(means)) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Textures, FeatureOfTexture,
    ::testing::Values(Followed{TextureKind::pistons, "pistons_impacts", event_rate, true},
                      Followed{TextureKind::wind, "wind_centroid", spectral_centroid, true},
                      Followed{TextureKind::wind, "wind_gusts", gust_depth, false},
                      Followed{TextureKind::applause, "applause_claps", event_rate, true},
                      Followed{TextureKind::bugs, "bugs_movement", movement_rate, true}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace dsf
