#include "engine/picture/spectrogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/audio/windowed_spectrum.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr double kWindowSeconds = 0.04;
constexpr int64_t kMostWindows = 8;  // per column: bounds the work for long sounds

int64_t window_size(double sample_rate) {
  return static_cast<int64_t>(
      std::bit_ceil(std::max<uint64_t>(64, static_cast<uint64_t>(kWindowSeconds * sample_rate))));
}

/// Adds to `power` the spectrum around sample `centre`, scaled so that a sine of amplitude 1 has
/// power 1 in its bin.
void add_power(WindowedSpectrum& spectrum, std::span<const float> audio, int64_t centre,
               std::vector<double>& power) {
  const auto bins = spectrum.at(audio, centre);
  const double scale = 4.0 / static_cast<double>(spectrum.size());  // 2 / (sum of the window)
  for (size_t bin = 0; bin < bins.size(); ++bin) {
    const double real = scale * bins[bin].real(), imaginary = scale * bins[bin].imag();
    power[bin] += real * real + imaginary * imaginary;
  }
}

/// The mean power of the bins in [low, high) (in bins), or, if there is none, at their middle.
double band_power(const std::vector<double>& power, double low, double high) {
  const auto last = static_cast<double>(power.size() - 1);
  const auto first_bin = static_cast<size_t>(std::clamp(std::ceil(low), 0.0, last));
  const auto end_bin = static_cast<size_t>(std::clamp(std::ceil(high), 0.0, last + 1));
  if (end_bin > first_bin) {
    double sum = 0;
    for (size_t bin = first_bin; bin < end_bin; ++bin) sum += power[bin];
    return sum / static_cast<double>(end_bin - first_bin);
  }
  const double middle = std::clamp((low + high) / 2, 0.0, last);
  const double whole = std::min(std::floor(middle), last - 1), part = middle - whole;
  const auto bin = static_cast<size_t>(whole);
  return power[bin] * (1 - part) + power[bin + 1] * part;
}

float to_decibels(double power) {
  const double decibels = 10 * std::log10(power);
  return decibels > kSilenceDecibels ? static_cast<float>(decibels) : kSilenceDecibels;  // NaN too
}

}  // namespace

Spectrogram compute_spectrogram(std::span<const float> audio, double sample_rate, int64_t columns,
                                int64_t rows, double lowest_hz) {
  DSF_CHECK(sample_rate > 2 * lowest_hz && lowest_hz > 0, "rate {} Hz, lowest {} Hz", sample_rate,
            lowest_hz);
  DSF_CHECK(columns >= 1 && rows >= 1, "{} columns, {} rows", columns, rows);
  Spectrogram result{columns, rows, lowest_hz, sample_rate / 2, {}};
  result.decibels.resize(static_cast<size_t>(columns * rows));
  WindowedSpectrum spectrum(window_size(sample_rate));
  const double bins_per_hz = static_cast<double>(spectrum.size()) / sample_rate;
  const double ratio = result.highest_hz / lowest_hz;
  const double width = static_cast<double>(audio.size()) / static_cast<double>(columns);
  const auto windows = std::clamp<int64_t>(
      static_cast<int64_t>(std::ceil(4 * width / static_cast<double>(spectrum.size()))), 1,
      kMostWindows);
  std::vector<double> power(spectrum.bins());
  for (int64_t column = 0; column < columns; ++column) {
    std::fill(power.begin(), power.end(), 0.0);
    for (int64_t i = 0; i < windows; ++i) {
      const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(windows);
      add_power(spectrum, audio,
                static_cast<int64_t>((static_cast<double>(column) + place) * width), power);
    }
    for (int64_t row = 0; row < rows; ++row) {
      const auto edge = [&](int64_t below_top) {
        const double share = 1 - static_cast<double>(below_top) / static_cast<double>(rows);
        return lowest_hz * std::pow(ratio, share) * bins_per_hz;
      };
      const double mean =
          band_power(power, edge(row + 1), edge(row)) / static_cast<double>(windows);
      result.decibels[static_cast<size_t>(row * columns + column)] = to_decibels(mean);
    }
  }
  return result;
}

}  // namespace dsf
