#include "engine/audio/texture_features.h"

#include <kiss_fftr.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <new>
#include <numbers>
#include <numeric>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr double kSilence = 1e-20;  // power below which there is no sound
constexpr double kLongestLag = 10;  // seconds

/// Powers of bands of frequency over time.
struct BandPowers {
  size_t bands = 0;
  double windows_per_second = 0;
  std::vector<double> powers;  // [windows, bands]

  size_t windows() const { return powers.size() / bands; }
  double& at(size_t window, size_t band) { return powers[window * bands + band]; }
  double at(size_t window, size_t band) const { return powers[window * bands + band]; }
};

/// From Hann windows of about `seconds`, `overlap` of them over each moment. Bands lie between
/// neighbouring `edges` (Hz) and hold at least one bin. A last window that is not full is left out.
BandPowers measure_bands(std::span<const float> sound, int sample_rate, double seconds,
                         size_t overlap, const std::vector<double>& edges) {
  const int wanted = static_cast<int>(std::lround(seconds * sample_rate));
  const auto size = static_cast<size_t>(kiss_fftr_next_fast_size_real(wanted));
  const size_t hop = size / overlap;
  struct Free {
    void operator()(kiss_fftr_cfg plan) const { kiss_fftr_free(plan); }
  };
  const std::unique_ptr<kiss_fftr_state, Free> plan(
      kiss_fftr_alloc(static_cast<int>(size), 0, nullptr, nullptr));
  if (!plan) throw std::bad_alloc();
  std::vector<float> window(size), input(size);
  for (size_t i = 0; i < size; ++i) {
    const double phase = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size);
    window[i] = static_cast<float>(0.5 - 0.5 * std::cos(phase));
  }
  std::vector<kiss_fft_cpx> bins(size / 2 + 1);
  const auto bin_of = [&](double frequency) {
    const double bin = std::round(frequency * static_cast<double>(size) / sample_rate);
    return static_cast<size_t>(std::clamp(bin, 0.0, static_cast<double>(bins.size() - 1)));
  };
  BandPowers result{
      edges.size() - 1, static_cast<double>(sample_rate) / static_cast<double>(hop), {}};
  for (size_t begin = 0; begin + size <= sound.size(); begin += hop) {
    for (size_t i = 0; i < size; ++i) input[i] = window[i] * sound[begin + i];
    kiss_fftr(plan.get(), input.data(), bins.data());
    for (size_t band = 0; band < result.bands; ++band) {
      const size_t first = bin_of(edges[band]);
      const size_t end = std::max(bin_of(edges[band + 1]), first + 1);
      double power = 0;
      for (size_t bin = first; bin < end; ++bin) {
        const double real = bins[bin].r, imaginary = bins[bin].i;
        power += real * real + imaginary * imaginary;
      }
      result.powers.push_back(power);
    }
  }
  return result;
}

std::vector<double> logarithmic_edges(double lowest, double highest, double per_octave) {
  std::vector<double> edges{lowest};
  while (edges.back() < highest) edges.push_back(edges.back() * std::exp2(1 / per_octave));
  return edges;
}

/// In decibels, and nothing quieter than `range` below the loudest. Empty for silence.
std::vector<double> to_levels(const std::vector<double>& powers, double range) {
  const double loudest = powers.empty() ? 0 : *std::ranges::max_element(powers);
  if (!(loudest > kSilence)) return {};
  std::vector<double> levels;
  for (const double power : powers) {
    const double level = power > 0 ? 10 * std::log10(power / loudest) : -range;
    levels.push_back(std::max(level, -range));
  }
  return levels;
}

void check_rate(int sample_rate) {
  if (sample_rate >= kMinFeatureRate) return;
  fail("a sample rate of {} Hz is too low to measure the spectrum: at least {} Hz are needed",
       sample_rate, kMinFeatureRate);
}

}  // namespace

double event_rate(std::span<const float> sound, int sample_rate) {
  check_rate(sample_rate);
  constexpr double kStep = 6, kRange = 25;  // dB
  const BandPowers bands =
      measure_bands(sound, sample_rate, 0.003, 4, {1000.0, std::min(16000.0, 0.45 * sample_rate)});
  const std::vector<double> levels = to_levels(bands.powers, kRange);
  if (levels.empty()) return 0;
  // Each rise and fall counts where it is done.
  int64_t events = 0;
  bool rising = false;
  double extreme = levels[0];  // the lowest since the last fall, or the highest since the last rise
  for (const double level : levels) {
    if (rising) {
      extreme = std::max(extreme, level);
      if (level <= extreme - kStep) {
        ++events;
        rising = false;
        extreme = level;
      }
    } else {
      extreme = std::min(extreme, level);
      if (level >= extreme + kStep) {
        rising = true;
        extreme = level;
      }
    }
  }
  return static_cast<double>(events) * sample_rate / static_cast<double>(sound.size());
}

double spectral_centroid(std::span<const float> sound, int sample_rate) {
  check_rate(sample_rate);
  const std::vector<double> edges = logarithmic_edges(50, 0.45 * sample_rate, 12);
  const BandPowers bands = measure_bands(sound, sample_rate, 0.1, 2, edges);
  double sum = 0, moment = 0;
  for (size_t window = 0; window < bands.windows(); ++window) {
    for (size_t band = 0; band < bands.bands; ++band) {
      const double power = bands.at(window, band);
      sum += power;
      moment += power * std::log(edges[band] * edges[band + 1]) / 2;
    }
  }
  return sum > kSilence ? std::exp(moment / sum) : 0;
}

double gust_depth(std::span<const float> sound, int sample_rate) {
  check_rate(sample_rate);
  const BandPowers bands = measure_bands(sound, sample_rate, 0.5, 2, {50.0, 0.45 * sample_rate});
  const std::vector<double> levels = to_levels(bands.powers, 60);
  if (levels.size() < 2) return 0;
  const auto count = static_cast<double>(levels.size());
  const double mean = std::accumulate(levels.begin(), levels.end(), 0.0) / count;
  double squares = 0;
  for (const double level : levels) squares += (level - mean) * (level - mean);
  return std::sqrt(squares / (count - 1));
}

double movement_rate(std::span<const float> sound, int sample_rate) {
  check_rate(sample_rate);
  const std::vector<double> edges = logarithmic_edges(180, 3600, 8);
  BandPowers bands = measure_bands(sound, sample_rate, 0.05, 8, edges);
  std::vector<double> levels = to_levels(bands.powers, 30);
  if (levels.empty()) return 0;
  bands.powers = std::move(levels);
  const size_t windows = bands.windows();

  // Half the mean square of the difference between two times reaches the variance once they are
  // independent.
  double variance = 0;
  for (size_t band = 0; band < bands.bands; ++band) {
    double sum = 0, squares = 0;
    for (size_t window = 0; window < windows; ++window) {
      sum += bands.at(window, band);
      squares += bands.at(window, band) * bands.at(window, band);
    }
    variance += (squares - sum * sum / static_cast<double>(windows)) / static_cast<double>(windows);
  }
  if (variance <= 1e-6) return 0;
  double before = 0;  // at the lag before
  const auto longest = static_cast<size_t>(kLongestLag * bands.windows_per_second);
  for (size_t lag = 1; lag < std::min(longest, windows / 4); ++lag) {
    double squares = 0;
    for (size_t i = 0; i + lag * bands.bands < bands.powers.size(); ++i) {
      const double difference = bands.powers[i + lag * bands.bands] - bands.powers[i];
      squares += difference * difference;
    }
    const double unlike = squares / (2 * variance * static_cast<double>(windows - lag));
    if (unlike >= 0.5) {
      const double place = static_cast<double>(lag) - (unlike - 0.5) / (unlike - before);
      return bands.windows_per_second / place;
    }
    before = unlike;
  }
  return 0;
}

}  // namespace dsf
