#include "engine/audio/subband_envelopes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/audio/windowed_spectrum.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kBandWindow = 512, kBandHop = 128;  // samples
constexpr int kLowestRate = 32000;                    // Hz, that has the highest band
constexpr double kExponent = 0.15;                    // of power: 0.3 of the amplitude
constexpr double kEnvelopeFloor = 1e-6;
constexpr double kSilentSubbands = 1e-20;  // mean power below which there is no sound

// Glasberg and Moore (1990): how many equivalent rectangular bandwidths lie below a frequency.
double erbs_below(double frequency) {
  return 21.4 * std::log10(1 + 0.00437 * frequency);
}

/// Of the lower edge of a band; a half more is its middle.
double frequency_of(double band) {
  const double low = erbs_below(kLowestSubband), high = erbs_below(kHighestSubband);
  const double erbs = low + (high - low) * band / static_cast<double>(kSubbands);
  return (std::pow(10, erbs / 21.4) - 1) / 0.00437;
}

/// The bins that a band takes part of. Bins reach half their distance to both sides: the lowest
/// bands are narrower than one.
struct Band {
  size_t first = 0;
  std::vector<double> shares;
};

std::array<Band, kSubbands> make_bands(int sample_rate) {
  std::array<Band, kSubbands> bands;
  const double bin_width = static_cast<double>(sample_rate) / kBandWindow;
  for (size_t b = 0; b < kSubbands; ++b) {
    const double low = frequency_of(static_cast<double>(b)) / bin_width + 0.5;
    const double high = frequency_of(static_cast<double>(b + 1)) / bin_width + 0.5;
    bands[b].first = static_cast<size_t>(low);
    for (size_t bin = bands[b].first; static_cast<double>(bin) < high; ++bin) {
      const auto left = static_cast<double>(bin);
      bands[b].shares.push_back(std::min(high, left + 1) - std::max(low, left));
    }
  }
  return bands;
}

}  // namespace

SubbandEnvelopes measure_envelopes(std::span<const float> sound, int sample_rate) {
  if (sample_rate < kLowestRate) {
    fail("a sample rate of {} Hz: subbands need at least {}", sample_rate, kLowestRate);
  }
  if (std::ssize(sound) < kBandWindow) {
    fail("{} samples: subbands need at least {}", sound.size(), kBandWindow);
  }
  const std::array<Band, kSubbands> bands = make_bands(sample_rate);
  WindowedSpectrum spectrum(kBandWindow);
  SubbandEnvelopes result;
  result.rate = static_cast<double>(sample_rate) / kBandHop;
  result.windows = static_cast<size_t>((std::ssize(sound) - kBandWindow) / kBandHop + 1);
  result.values.resize(kSubbands * result.windows);
  double sum = 0;
  std::vector<double> powers(spectrum.bins());
  for (size_t window = 0; window < result.windows; ++window) {
    const auto bins = spectrum.at(sound, static_cast<int64_t>(window) * kBandHop + kBandWindow / 2);
    for (size_t i = 0; i < powers.size(); ++i) powers[i] = std::norm(bins[i]);
    for (size_t b = 0; b < kSubbands; ++b) {
      double power = 0;
      for (size_t i = 0; i < bands[b].shares.size(); ++i) {
        power += bands[b].shares[i] * powers[bands[b].first + i];
      }
      result.values[b * result.windows + window] = power;
      sum += power;
    }
  }
  const double mean = sum / static_cast<double>(result.windows);
  for (double& value : result.values) {
    value = std::pow((mean > kSilentSubbands ? value / mean : 0) + kEnvelopeFloor, kExponent);
  }
  return result;
}

double subband_frequency(size_t index) {
  return frequency_of(static_cast<double>(index) + 0.5);
}

double envelope_level(double value) {
  return 10 / kExponent * std::log10(value);
}

}  // namespace dsf
