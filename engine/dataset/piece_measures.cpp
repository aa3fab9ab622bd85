#include "engine/dataset/piece_measures.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/audio/loudness.h"
#include "engine/audio/mel_bands.h"
#include "engine/audio/texture_features.h"
#include "engine/audio/windowed_spectrum.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kWindow = 2048;
constexpr int64_t kHop = 512;

// Of the onsets.
constexpr int64_t kBands = 80;
constexpr double kRangeDecibels = 50;
constexpr double kThresholdDecibels = 3;
constexpr int64_t kPeakReach = 3;     // windows
constexpr int64_t kMedianReach = 16;  // windows

struct MeasureEntry {
  Measure measure;
  std::string_view name, unit;
};

constexpr std::array<MeasureEntry, 3> kMeasures = {{
    {Measure::loudness, "loudness", "LUFS"},
    {Measure::centroid, "centroid", "Hz"},
    {Measure::event_rate, "event-rate", "onsets per second"},
}};

const MeasureEntry& entry(Measure measure) {
  return *std::ranges::find(kMeasures, measure, &MeasureEntry::measure);
}

Measure parse_measure(std::string_view name) {
  const auto found = std::ranges::find(kMeasures, name, &MeasureEntry::name);
  if (found != kMeasures.end()) return found->measure;
  fail_usage("--measure '{}': expected loudness, centroid or event-rate, or several with commas",
             name);
}

/// Levels of all bands in dB, [windows][bands].
std::vector<std::vector<double>> band_levels(std::span<const float> samples, int sample_rate) {
  const MelBands bands(kBands, kWindow, sample_rate);
  std::vector<std::vector<double>> levels;
  double loudest = 0;
  WindowedSpectrum spectrum(kWindow);
  std::vector<float> magnitudes(spectrum.bins());
  for (int64_t centre = kWindow / 2; centre + kWindow / 2 <= std::ssize(samples); centre += kHop) {
    const auto bins = spectrum.at(samples, centre);
    std::ranges::transform(bins, magnitudes.begin(), [](auto bin) { return std::abs(bin); });
    std::vector<double>& row = levels.emplace_back(bands.bands());
    bands.apply(magnitudes, row);
    loudest = std::max(loudest, *std::ranges::max_element(row));
  }
  if (loudest == 0) return {};
  for (auto& row : levels) {
    for (double& level : row) {
      level = std::max(20 * std::log10(level / loudest), -kRangeDecibels);
    }
  }
  return levels;
}

double median_around(const std::vector<double>& values, int64_t middle, int64_t reach) {
  const auto first = values.begin() + std::max<int64_t>(0, middle - reach);
  const auto end = values.begin() + std::min<int64_t>(std::ssize(values), middle + reach + 1);
  std::vector<double> some(first, end);
  const auto half = some.begin() + std::ssize(some) / 2;
  std::nth_element(some.begin(), half, some.end());
  return *half;
}

}  // namespace

std::string_view name_of(Measure measure) {
  return entry(measure).name;
}

std::string_view unit_of(Measure measure) {
  return entry(measure).unit;
}

bool is_of_sound(Measure measure, double value) {
  switch (measure) {
    case Measure::loudness:
      return value > kMinLoudness;
    case Measure::centroid:
      return value > 0;
    case Measure::event_rate:
      break;
  }
  return true;  // silence has as many events as what is steady
}

std::vector<Measure> parse_measures(const std::string& names) {
  std::vector<Measure> measures;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const Measure measure = parse_measure(std::string_view(names).substr(begin, end - begin));
    if (std::ranges::find(measures, measure) != measures.end()) {
      fail_usage("--measure '{}': {} twice", names, name_of(measure));
    }
    measures.push_back(measure);
    begin = end + 1;
  }
  return measures;
}

void check_measures(const std::vector<Measure>& measures, int sample_rate) {
  if (sample_rate >= kMinFeatureRate ||
      std::ranges::find(measures, Measure::centroid) == measures.end()) {
    return;
  }
  fail_usage("--measure centroid: the codec's sound has {} Hz, it takes at least {} Hz",
             sample_rate, kMinFeatureRate);
}

double onset_rate(std::span<const float> samples, int sample_rate) {
  const auto levels = band_levels(samples, sample_rate);
  if (levels.size() < 2) return 0;
  std::vector<double> gains;
  for (size_t i = 1; i < levels.size(); ++i) {
    double gain = 0;
    for (size_t band = 0; band < levels[i].size(); ++band) {
      gain += std::max(0.0, levels[i][band] - levels[i - 1][band]);
    }
    gains.push_back(gain / static_cast<double>(kBands));
  }
  int64_t onsets = 0;
  for (int64_t i = 0; i < std::ssize(gains); ++i) {
    const auto first = gains.begin() + std::max<int64_t>(0, i - kPeakReach);
    const auto end = gains.begin() + std::min<int64_t>(std::ssize(gains), i + kPeakReach + 1);
    // Of equal gains the first counts.
    if (std::max_element(first, end) - gains.begin() != i) continue;
    const double usual = median_around(gains, i, kMedianReach);
    onsets += gains[static_cast<size_t>(i)] > usual + kThresholdDecibels;
  }
  return static_cast<double>(onsets) * sample_rate / static_cast<double>(samples.size());
}

std::vector<double> measure_piece(std::span<const float> samples, int sample_rate,
                                  const std::vector<Measure>& measures) {
  std::vector<double> values;
  for (const Measure measure : measures) {
    switch (measure) {
      case Measure::loudness:
        values.push_back(integrated_loudness(samples, 1, sample_rate));
        break;
      case Measure::centroid:
        values.push_back(spectral_centroid(samples, sample_rate));
        break;
      case Measure::event_rate:
        values.push_back(onset_rate(samples, sample_rate));
        break;
    }
  }
  return values;
}

}  // namespace dsf
