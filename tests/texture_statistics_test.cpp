// Statistics of textures: of signals whose answer is known; what is planted is found.
#include "engine/audio/texture_statistics.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "engine/audio/texture_monotony.h"
#include "engine/textures/building_blocks.h"
#include "engine/textures/texture.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

using testing::expect_error;

constexpr int kRate = kTextureSampleRate;
constexpr size_t kLevel = 0, kVariation = 1, kSkewness = 2, kModulation = 3, kCorrelation = 4;
// Bands that are wider than a window's main lobe.
constexpr size_t kBand = 9, kNextBand = 10;

/// A tone in the middle of a band, its level in dB over time.
std::vector<float> tone(size_t band, double seconds,
                        const std::function<double(double)>& decibels) {
  std::vector<float> sound(static_cast<size_t>(seconds * kRate));
  for (size_t i = 0; i < sound.size(); ++i) {
    const double t = static_cast<double>(i) / kRate;
    const double phase = 2 * std::numbers::pi * subband_frequency(band) * t;
    sound[i] = static_cast<float>(0.1 * from_decibels(decibels(t)) * std::sin(phase));
  }
  return sound;
}

std::vector<float> sum_of(std::vector<float> one, const std::vector<float>& other) {
  for (size_t i = 0; i < one.size(); ++i) one[i] += other[i];
  return one;
}

/// `on` for this share of every half second, else `off`.
std::function<double(double)> switched(double share, double on, double off) {
  return [=](double t) { return 2 * t - std::floor(2 * t) < share ? on : off; };
}

double sine(double frequency, double t) {
  return std::sin(2 * std::numbers::pi * frequency * t);
}

TextureStatistics measure(const std::vector<float>& sound) {
  return measure_statistics(sound, kRate);
}

// ---- Known answers ----

TEST(TextureStatistics, BandsLieBetweenTheirEnds) {
  EXPECT_GT(subband_frequency(0), kLowestSubband);
  EXPECT_LT(subband_frequency(kSubbands - 1), kHighestSubband);
  for (size_t band = 1; band < kSubbands; ++band) {
    EXPECT_GT(subband_frequency(band), 1.15 * subband_frequency(band - 1)) << band;
  }
}

TEST(TextureStatistics, AToneIsInItsBand) {
  for (const size_t band : {5, 8, 12, 15}) {
    const TextureStatistics found = measure(tone(band, 2, [](double) { return 0.0; }));
    for (size_t other = 0; other < kSubbands; ++other) {
      const double level = found.groups[kLevel][other];
      if (other == band) {
        EXPECT_NEAR(level, 0, 0.5) << band;
      } else {
        EXPECT_LT(level, -8) << band << " in " << other;
      }
      EXPECT_LT(found.groups[kVariation][other], 0.01) << band << " in " << other;
    }
  }
}

// A click in every window, whose spectrum is flat: bands hold power as their widths have it, which
// are in the ratio of the distances of their middles. Clicks do not lie at a window's end, where
// there would be nothing but the floor.
TEST(TextureStatistics, LevelsOfClicksAreTheBandsWidths) {
  std::vector<float> clicks(5 * kRate, 0.0F);
  for (size_t i = 64; i < clicks.size(); i += 512) clicks[i] = 0.5F;
  const TextureStatistics found = measure(clicks);
  for (size_t band = 0; band + 2 < kSubbands; ++band) {
    const double step = found.groups[kLevel][band + 1] - found.groups[kLevel][band];
    const double width = subband_frequency(band + 1) - subband_frequency(band);
    const double next = subband_frequency(band + 2) - subband_frequency(band + 1);
    EXPECT_NEAR(step, 10 * std::log10(next / width), 0.05) << band;
  }
}

// Half the time 20 dB less, 0.501 of the compressed amplitude: deviation/mean is 0.332, less where
// windows lie across a step.
TEST(TextureStatistics, VariationIsThatOfTheCompressedEnvelope) {
  const double low = std::pow(10, -0.3);
  const TextureStatistics found = measure(tone(kBand, 10, switched(0.5, 0, -20)));
  EXPECT_NEAR(found.groups[kVariation][kBand], (1 - low) / (1 + low), 0.01);
}

TEST(TextureStatistics, SkewnessTellsBurstsFromGaps) {
  // Of two values with shares p and 1 − p it is (1 − 2p)/√(p(1 − p)).
  for (const double share : {0.2, 0.5, 0.8}) {
    const TextureStatistics found = measure(tone(kBand, 10, switched(share, 0, -20)));
    const double expected = (1 - 2 * share) / std::sqrt(share * (1 - share));
    EXPECT_NEAR(found.groups[kSkewness][kBand], expected, 0.12) << share;
  }
}

TEST(TextureStatistics, ModulationIsInItsOctave) {
  const std::vector<double> frequencies = {0.35, 1, 2, 4, 8, 16, 32, 64, 110};
  for (size_t octave = 0; octave < kModulationBands; ++octave) {
    const TextureStatistics found =
        measure(tone(kBand, 20, [&](double t) { return 6 * sine(frequencies[octave], t); }));
    for (size_t other = 0; other < kModulationBands; ++other) {
      const double root = found.groups[kModulation][kBand * kModulationBands + other];
      if (other == octave) {
        EXPECT_NEAR(root, 1, 0.08) << frequencies[octave];
      } else {
        EXPECT_LT(root, 0.35) << frequencies[octave] << " in " << other;
      }
    }
  }
}

TEST(TextureStatistics, BandsThatMoveTogetherAreCorrelated) {
  const auto up = [](double t) { return 6 * sine(3, t); };
  const auto down = [](double t) { return -6 * sine(3, t); };
  const auto quarter = [](double t) { return 6 * sine(3, t - 1.0 / 12); };
  const std::vector<float> one = tone(kBand, 10, up);
  const auto correlation = [&](const std::vector<float>& other) {
    return measure(sum_of(one, other)).groups[kCorrelation][kBand];  // 1 apart come first
  };
  EXPECT_GT(correlation(tone(kNextBand, 10, up)), 0.97);
  EXPECT_LT(correlation(tone(kNextBand, 10, down)), -0.9);
  EXPECT_NEAR(correlation(tone(kNextBand, 10, quarter)), 0, 0.1);
}

// As measure_statistics puts them.
TEST(TextureStatistics, HaveNames) {
  const auto hertz = [](size_t band) { return fmt::format("{:.0f} Hz", subband_frequency(band)); };
  EXPECT_EQ(statistic_name(kLevel, 3), "level of the band of " + hertz(3));
  EXPECT_EQ(statistic_name(kModulation, 2 * kModulationBands),
            "modulation below 0.7 Hz of the band of " + hertz(2));
  EXPECT_EQ(statistic_name(kModulation, 3 * kModulationBands - 1),
            "modulation at 128 Hz of the band of " + hertz(2));
  EXPECT_EQ(statistic_name(kCorrelation, 0),
            "correlation of the bands of " + hertz(0) + " and " + hertz(1));
  const size_t last =
      measure(tone(kBand, 1, [](double) { return 0.0; })).groups[kCorrelation].size() - 1;
  EXPECT_EQ(statistic_name(kCorrelation, last),
            "correlation of the bands of " + hertz(kSubbands - 9) + " and " + hertz(kSubbands - 1));
  EXPECT_THROW(statistic_name(kCorrelation, last + 1), Error);
}

TEST(TextureStatistics, LevelDoesNotMatter) {
  std::vector<float> sound = make_texture({TextureKind::wind, 0.5, 5, 3, 0}).samples;
  const TextureStatistics before = measure(sound);
  for (float& sample : sound) sample *= 0.01F;
  const TextureStatistics after = measure(sound);
  for (size_t group = 0; group < before.groups.size(); ++group) {
    for (size_t i = 0; i < before.groups[group].size(); ++i) {
      EXPECT_NEAR(before.groups[group][i], after.groups[group][i], 1e-4) << group << " " << i;
    }
  }
}

TEST(TextureStatistics, SilenceAndOneWindowHaveFiniteOnes) {
  const TextureStatistics found = measure(std::vector<float>(kRate, 0.0F));
  for (const std::vector<double>& group : measure(std::vector<float>(512, 0.1F)).groups) {
    for (const double value : group) EXPECT_TRUE(std::isfinite(value));
  }
  for (const std::vector<double>& group : found.groups) {
    for (const double value : group) EXPECT_TRUE(std::isfinite(value));
  }
  for (const double variation : found.groups[kVariation]) EXPECT_NEAR(variation, 0, 1e-9);
}

TEST(TextureStatistics, WhatCannotBeMeasuredIsRefused) {
  expect_error<Error>([] { measure_envelopes(std::vector<float>(511), kRate); }, {"511 samples"});
  expect_error<Error>([] { measure_envelopes(std::vector<float>(22050), 22050); }, {"22050 Hz"});
  const TextureStatistics one = measure(std::vector<float>(kRate, 0.0F));
  expect_error<Error>([&] { TextureSpread({one, one, one}); }, {"3 takes"});
}

TEST(TextureStatistics, TheUsualRangeIsOfLogarithms) {
  const auto [low, high] = usual_range(std::vector<double>{1, std::exp(2)});  // deviation √2
  EXPECT_NEAR(std::log(low), 1 - 3 * std::numbers::sqrt2, 1e-9);
  EXPECT_NEAR(std::log(high), 1 + 3 * std::numbers::sqrt2, 1e-9);
}

// ---- Minutes of textures, in small ----

constexpr double kPart = 12;  // seconds, that stand for a minute
constexpr size_t kParts = 6;
constexpr uint64_t kTakes = 16;

class SpreadOfTexture : public ::testing::TestWithParam<TextureClass> {
 protected:
  static std::vector<float> take(uint64_t seed, double parameter = 0.5, double seconds = kPart) {
    return make_texture({GetParam().kind, parameter, seconds, seed, 0}).samples;
  }
  static const std::vector<SubbandEnvelopes>& fresh() {
    static std::map<TextureKind, std::vector<SubbandEnvelopes>> made;
    std::vector<SubbandEnvelopes>& takes = made[GetParam().kind];
    for (uint64_t seed = takes.size(); seed < kTakes; ++seed) {
      takes.push_back(measure_envelopes(take(100 + seed), kRate));
    }
    return takes;
  }
  static TextureSpread spread() {
    std::vector<TextureStatistics> statistics;
    for (const SubbandEnvelopes& envelopes : fresh()) {
      statistics.push_back(measure_statistics(envelopes));
    }
    return TextureSpread(statistics);
  }
  static std::vector<double> of_fresh(double (*measure)(const SubbandEnvelopes&)) {
    std::vector<double> values;
    for (const SubbandEnvelopes& envelopes : fresh()) values.push_back(measure(envelopes));
    return values;
  }
};

TEST_P(SpreadOfTexture, HoldsOtherTakes) {
  const TextureSpread known = spread();
  const TextureDistance limit = known.distance_limit();
  for (uint64_t seed = 200; seed < 205; ++seed) {
    EXPECT_LT(share_of_limit(known.distance(measure(take(seed))), limit), 1) << seed;
  }
}

TEST_P(SpreadOfTexture, SaysWhatADistanceComesFrom) {
  const TextureSpread known = spread();
  const TextureStatistics statistics = measure(take(200));
  const TextureDistance distance = known.distance(statistics);
  const TextureStatistics difference = known.difference(statistics);
  for (size_t group = 0; group < kStatisticGroups.size(); ++group) {
    const std::vector<double>& units = difference.groups[group];
    const double squares = std::inner_product(units.begin(), units.end(), units.begin(), 0.0);
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(units.size())), distance.groups[group],
                1e-9);
  }
}

TEST_P(SpreadOfTexture, DoesNotHoldOtherTextures) {
  const TextureSpread known = spread();
  const TextureDistance limit = known.distance_limit();
  for (const TextureClass& other : texture_classes()) {
    if (other.kind == GetParam().kind) continue;
    const std::vector<float> sound = make_texture({other.kind, 0.5, kPart, 1, 0}).samples;
    EXPECT_GT(share_of_limit(known.distance(measure(sound)), limit), 2) << other.name;
  }
}

// One long take. Noise joins, 6 dB louder from part to part, in the end 12 dB below the sound.
TEST_P(SpreadOfTexture, FindsDrift) {
  const TextureSpread known = spread();
  const TextureDistance limit = known.drift_limit(kParts);
  const std::vector<float> whole = take(300, 0.5, kPart * kParts);
  std::vector<TextureStatistics> steady, drifting;
  for (size_t part = 0; part < kParts; ++part) {
    const auto begin = whole.begin() + static_cast<ptrdiff_t>(part * whole.size() / kParts);
    std::vector<float> sound(begin, begin + static_cast<ptrdiff_t>(whole.size() / kParts));
    steady.push_back(measure(sound));
    double power = 0;
    for (const double sample : sound) power += sample * sample;
    const double rms = std::sqrt(power / static_cast<double>(sound.size()));
    const double gain = rms * from_decibels(6 * static_cast<double>(part) - 42);
    RandomSequence noise({part, 0, 0}, 0);
    for (float& sample : sound) sample += static_cast<float>(gain * noise.normal());
    drifting.push_back(measure(sound));
  }
  EXPECT_LT(share_of_limit(known.drift(steady), limit), 1);
  EXPECT_GT(share_of_limit(known.drift(drifting), limit), 1);
}

TEST_P(SpreadOfTexture, FindsAParameterThatDrifts) {
  const TextureSpread known = spread();
  std::vector<TextureStatistics> parts;
  for (size_t part = 0; part < kParts; ++part) {
    parts.push_back(measure(take(300 + part, 0.2 + 0.12 * static_cast<double>(part))));
  }
  EXPECT_GT(share_of_limit(known.drift(parts), known.drift_limit(kParts)), 1);
  EXPECT_THROW(known.drift(std::span(parts).first(2)), Error);
  EXPECT_THROW(known.drift_limit(2), Error);
}

// For two seconds nothing comes but one frame, again and again; 512 samples are the bundled
// codec's.
TEST_P(SpreadOfTexture, FindsAFrozenFrame) {
  const double limit = usual_range(of_fresh(least_movement)).low;
  const std::vector<float> whole = take(400);
  EXPECT_GT(least_movement(measure_envelopes(whole, kRate)), limit);
  for (const size_t frame : {512, 600}) {
    std::vector<float> sound = whole;
    constexpr size_t kBegin = 5 * kRate;
    for (size_t i = kBegin; i < kBegin + 2 * kRate; ++i) sound[i] = sound[i - frame];
    const double found = least_movement(measure_envelopes(sound, kRate));
    EXPECT_LT(found, (frame == 512 ? 0.1 : 0.5) * limit) << frame;
  }
}

TEST_P(SpreadOfTexture, FindsALoop) {
  std::vector<double> unlike;
  for (const double repetition : of_fresh(strongest_repetition)) unlike.push_back(1 - repetition);
  const double limit = 1 - usual_range(unlike).low;
  std::vector<float> sound = take(400);
  EXPECT_LT(strongest_repetition(measure_envelopes(sound, kRate)), limit);
  constexpr size_t kLoop = 44100 * 13 / 10, kBegin = kRate;
  for (size_t i = kBegin + kLoop; i < sound.size(); ++i) sound[i] = sound[i - kLoop];
  EXPECT_GT(strongest_repetition(measure_envelopes(sound, kRate)), std::max(0.9, limit));
}

INSTANTIATE_TEST_SUITE_P(Classes, SpreadOfTexture,
                         ::testing::ValuesIn(texture_classes().begin(), texture_classes().end()),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(NearestTexture, IsItsOwn) {
  std::vector<std::vector<TextureStatistics>> textures;
  const auto statistics = [](TextureKind kind, uint64_t seed) {
    return measure(make_texture({kind, 0.5, 5, seed, 0}).samples);
  };
  for (const TextureClass& one : texture_classes()) {
    textures.emplace_back();
    for (uint64_t seed = 0; seed < 4; ++seed) textures.back().push_back(statistics(one.kind, seed));
  }
  const NearestTexture nearest(textures);
  for (const TextureClass& one : texture_classes()) {
    for (uint64_t seed = 10; seed < 13; ++seed) {
      EXPECT_EQ(nearest.find(statistics(one.kind, seed)), static_cast<size_t>(one.kind)) << seed;
    }
  }
}

}  // namespace
}  // namespace dsf
