#pragma once
// What a stretch of sound texture is like on average, as numbers, and how far such numbers are from
// those of takes that are known to be right. Statistics of subband envelopes (subband_envelopes.h)
// after McDermott and Simoncelli; level does not matter.
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/audio/subband_envelopes.h"

namespace dsf {

// With envelope a of mean m and deviation s; σ² = s² + (0.02·m)², so that what hardly moves has
// statistics near 0 instead of any:
//   level        of each band: m as a level, dB
//   variation    of each band: s/m
//   skewness     of each band: mean of ((a − m)/σ)³
//   modulation   of each band and octave of modulation (middles 1, 2, … 128 Hz, and all below
//                0.7 Hz): the root of its share of σ², that is in 0 … 1
//   correlation  of bands 1, 2, 4 and 8 apart: covariance/(σ₁·σ₂)
inline constexpr std::array<std::string_view, 5> kStatisticGroups = {
    "level", "variation", "skewness", "modulation", "correlation"};
inline constexpr size_t kModulationBands = 9;

struct TextureStatistics {
  std::array<std::vector<double>, kStatisticGroups.size()> groups;
};

/// "modulation at 2 Hz of the band of 105 Hz": statistic `index` of a group.
std::string statistic_name(size_t group, size_t index);

TextureStatistics measure_statistics(const SubbandEnvelopes& envelopes);
/// Of a sound; the Errors of measure_envelopes.
TextureStatistics measure_statistics(std::span<const float> sound, int sample_rate);

/// A root mean square over all groups, each of which counts alike, and over each of them.
struct TextureDistance {
  double all = 0;
  std::array<double, kStatisticGroups.size()> groups{};
};

/// How many times its limit a distance is, where it is the most: over all groups or in one of them.
double share_of_limit(const TextureDistance& distance, const TextureDistance& limit);

/// What independent takes of one texture have in common, and how far they are apart.
class TextureSpread {
 public:
  /// Of four takes or more. Each statistic's unit is its deviation over the takes, to whose square
  /// that of a difference which hardly anybody hears is added (0.5 dB of level, 0.1 of skewness,
  /// 0.02 of the others).
  explicit TextureSpread(std::vector<TextureStatistics> takes);

  /// From the takes' mean, in those units.
  TextureDistance distance(const TextureStatistics& statistics) const;
  /// Each statistic less the takes' mean, in those units.
  TextureStatistics difference(const TextureStatistics& statistics) const;
  /// How far apart the means of the first and of the last third are of what was measured part by
  /// part (three parts or more): about 1 or less where nothing drifts.
  TextureDistance drift(std::span<const TextureStatistics> parts) const;

  /// What another take keeps below but for one in some hundreds: the mean and three deviations of
  /// the logarithm of each take's distance from the others.
  TextureDistance distance_limit() const;
  /// The same for the drift of so many parts: that of takes in any order.
  TextureDistance drift_limit(size_t parts) const;

 private:
  std::vector<TextureStatistics> takes_;
  TextureStatistics mean_, deviation_;
};

/// Tells which of several textures a sound is, from takes of each.
class NearestTexture {
 public:
  /// Of two textures or more, with two takes or more each. A statistic's unit is its deviation
  /// within textures, over all of them, with what nobody hears as above.
  explicit NearestTexture(const std::vector<std::vector<TextureStatistics>>& textures);

  /// The index of that whose takes' mean is the least distance away.
  size_t find(const TextureStatistics& statistics) const;

 private:
  std::vector<TextureStatistics> means_;
  TextureStatistics deviation_;
};

/// exp(mean ± 3 deviations) of the logarithms of positive numbers.
struct UsualRange {
  double low = 0, high = 0;
};
UsualRange usual_range(std::span<const double> values);

}  // namespace dsf
