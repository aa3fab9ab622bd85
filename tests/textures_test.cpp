// Procedural textures: what they are built from, and that a take is a function of its request.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "engine/textures/building_blocks.h"
#include "engine/textures/texture.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

using testing::expect_error;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance(const std::vector<double>& values) {
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return sum / static_cast<double>(values.size());
}

double rms(const std::vector<float>& samples) {
  double sum = 0;
  for (const double sample : samples) sum += sample * sample;
  return std::sqrt(sum / static_cast<double>(samples.size()));
}

// ---- Building blocks ----

// Bounds of the moments: five deviations of what so many independent draws give.
TEST(TextureBuildingBlocks, NormalNumbersHaveTheirMoments) {
  RandomSequence random({1, 2, 3}, 4);
  constexpr int kCount = 1 << 18;
  std::vector<double> values, fourth;
  for (int i = 0; i < kCount; ++i) {
    values.push_back(random.normal());
    fourth.push_back(std::pow(values.back(), 4));
  }
  EXPECT_NEAR(mean(values), 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(variance(values), 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(mean(fourth), 3, 5 * std::sqrt(96.0 / kCount));
}

TEST(TextureBuildingBlocks, ComponentsAreIndependent) {
  RandomSequence one({1, 2, 3}, 4), other({1, 2, 3}, 5), take({1, 2, 4}, 4);
  constexpr int kCount = 1 << 16;
  std::vector<double> components, takes;
  for (int i = 0; i < kCount; ++i) {
    const double value = one.normal();
    components.push_back(value * other.normal());
    takes.push_back(value * take.normal());
  }
  EXPECT_NEAR(mean(components), 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(mean(takes), 0, 5 / std::sqrt(kCount));
}

TEST(TextureBuildingBlocks, UniformNumbersFillTheirRange) {
  RandomSequence random({7, 0, 0}, 0);
  std::vector<double> values;
  for (int i = 0; i < 1 << 16; ++i) values.push_back(random.uniform(-1, 3));
  EXPECT_GT(*std::ranges::min_element(values), -1);
  EXPECT_LT(*std::ranges::max_element(values), 3);
  EXPECT_NEAR(mean(values), 1, 5 * std::sqrt(16.0 / 12 / (1 << 16)));
}

TEST(TextureBuildingBlocks, AOnePoleHalvesThePowerAtItsFrequency) {
  constexpr double kFrequency = 400;
  OnePole<> low(kFrequency);
  HighPass high(kFrequency);
  double low_power = 0, constant = 0;
  for (int i = 0; i < 2 * kTextureSampleRate; ++i) {
    const double x = std::sin(2 * std::numbers::pi * kFrequency * i / kTextureSampleRate);
    const double y = low(x);
    if (i >= kTextureSampleRate) low_power += 2 * y * y / kTextureSampleRate;
    constant = high(1);
  }
  EXPECT_NEAR(low_power, 0.5, 0.02);  // of the analogue filter; the discrete one is 3 % off there
  EXPECT_NEAR(constant, 0, 1e-12);
}

TEST(TextureBuildingBlocks, AResonatorRingsAsItSays) {
  constexpr double kFrequency = 700, kDecay = 0.01;
  Resonator resonator(kFrequency, kDecay);
  for (int i = 0; i < 2000; ++i) {
    const double y = resonator(i == 0 ? 1 : 0);
    const double t = static_cast<double>(i + 1) / kTextureSampleRate;
    const double ring = std::exp(-t / kDecay) * std::sin(2 * std::numbers::pi * kFrequency * t);
    EXPECT_NEAR(y * decay_per_sample(kDecay), ring, 1e-9) << i;
  }
}

TEST(TextureBuildingBlocks, ASmoothCurveHasUnitVarianceAndIsSmooth) {
  constexpr double kRate = 50;
  SmoothCurve curve({3, 0, 0}, 1, kRate);
  std::vector<double> values, steps;
  double before = curve();
  for (int i = 0; i < 100 * kTextureSampleRate; ++i) {
    const double value = curve();
    steps.push_back((value - before) * kTextureSampleRate);
    values.push_back(value);
    before = value;
  }
  // 10,000 independent points: five deviations.
  EXPECT_NEAR(variance(values), 1, 5 * std::sqrt(2.0 / 10000));
  EXPECT_NEAR(mean(values), 0, 5 / std::sqrt(10000));
  // The deviation of the slope, in units of 2π, is the frequency about which its power lies.
  const double frequency = std::sqrt(variance(steps)) / (2 * std::numbers::pi);
  EXPECT_GT(frequency, 0.3 * kRate);
  EXPECT_LT(frequency, 0.7 * kRate);
}

// ---- Takes ----

class EachTexture : public ::testing::TestWithParam<TextureClass> {
 protected:
  std::vector<float> make(double parameter, double seconds, uint64_t seed,
                          uint32_t take = 0) const {
    return make_texture({GetParam().kind, parameter, seconds, seed, take}).samples;
  }
};

TEST_P(EachTexture, IsAFunctionOfItsRequest) {
  const std::vector<float> sound = make(0.5, 1, 5, 2);
  EXPECT_EQ(sound, make(0.5, 1, 5, 2));
  EXPECT_NE(sound, make(0.5, 1, 6, 2)) << "another seed, the same sound";
  EXPECT_NE(sound, make(0.5, 1, 5, 3)) << "another take, the same sound";
  EXPECT_NE(sound, make(0.6, 1, 5, 2)) << "another parameter, the same sound";
}

// Only level and mean, which are of the whole, differ. The limiter of applause, and its level
// before it, depend on the typical clap.
TEST_P(EachTexture, ALongerTakeBeginsWithTheShorter) {
  const std::vector<float> brief = make(0.5, 2, 5), full = make(0.5, 4, 5);
  double dot = 0, brief_power = 0, full_power = 0;
  for (size_t i = 0; i < brief.size(); ++i) {
    dot += static_cast<double>(brief[i]) * full[i];
    brief_power += static_cast<double>(brief[i]) * brief[i];
    full_power += static_cast<double>(full[i]) * full[i];
  }
  const double least = GetParam().kind == TextureKind::applause ? 0.99 : 0.99999;
  EXPECT_GT(dot / std::sqrt(brief_power * full_power), least);
}

TEST_P(EachTexture, HasALevelThatSuitsAnyFormat) {
  for (const double parameter : {0.0, 0.3, 1.0}) {
    const std::vector<float> sound = make(parameter, 5, 1);
    double sum = 0;
    float peak = 0;
    for (const float sample : sound) {
      ASSERT_TRUE(std::isfinite(sample));
      sum += sample;
      peak = std::max(peak, std::abs(sample));
    }
    EXPECT_LE(peak, 0.9001F) << parameter;
    EXPECT_GT(rms(sound), 0.01) << parameter;
    EXPECT_LT(rms(sound), 0.2) << parameter;
    EXPECT_NEAR(sum / static_cast<double>(sound.size()), 0, 1e-6) << parameter;
  }
}

TEST_P(EachTexture, MayBeShort) {
  for (const double seconds : {0.001, 0.0131, 0.1}) {
    for (const double parameter : {0.0, 1.0}) {
      const std::vector<float> sound = make(parameter, seconds, 3);
      EXPECT_EQ(std::ssize(sound), std::lround(seconds * kTextureSampleRate));
      for (const float sample : sound) ASSERT_TRUE(std::isfinite(sample));
    }
  }
}

TEST_P(EachTexture, RefusesWhatItCannotBe) {
  const double nan = std::nan("");
  for (const double parameter : {-0.01, 1.01, nan}) {
    expect_error<UsageError>([&] { make(parameter, 1, 0); }, {"parameter", "0 to 1"});
  }
  for (const double seconds : {0.0, -1.0, 1e9, nan}) {
    expect_error<UsageError>([&] { make(0.5, seconds, 0); }, {"0.001 to 24000 s"});
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, EachTexture,
                         ::testing::ValuesIn(texture_classes().begin(), texture_classes().end()),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Textures, AreFoundByEitherName) {
  for (const TextureClass& one : texture_classes()) {
    EXPECT_EQ(find_texture_class(one.name).kind, one.kind);
    EXPECT_EQ(find_texture_class(one.class_name).kind, one.kind);
    EXPECT_EQ(texture_class(one.kind).name, one.name);
  }
  expect_error<UsageError>([] { find_texture_class("rain"); },
                           {"'rain'", "pistons, wind, applause, bugs"});
}

}  // namespace
}  // namespace dsf
