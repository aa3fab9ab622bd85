#pragma once
// Spectral flux: how much a sound's spectrum gains from one moment to the next. A click or a cut
// stands out of it.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include "engine/picture/spectrogram.h"

namespace dsf::testing {

inline constexpr int64_t kFluxHop = 512;  // samples between two spectra, of some 40 ms

/// Σ over frequency of what the magnitude gains, between each two neighbouring columns of a
/// spectrogram; the last column is followed by the first.
inline std::vector<double> circular_flux(std::span<const float> audio, double sample_rate) {
  // The spectra near the ends must see round them: the sound is put before and after itself.
  std::vector<float> thrice;
  for (int i = 0; i < 3; ++i) thrice.insert(thrice.end(), audio.begin(), audio.end());
  const int64_t columns = static_cast<int64_t>(audio.size()) / kFluxHop;
  const Spectrogram spectrogram = compute_spectrogram(thrice, sample_rate, 3 * columns, 128);
  const auto magnitude = [&](int64_t row, int64_t column) {
    const auto at = static_cast<size_t>(row * spectrogram.columns + column);
    return std::pow(10.0, static_cast<double>(spectrogram.decibels[at]) / 20);
  };
  std::vector<double> flux(static_cast<size_t>(columns));
  for (int64_t column = 0; column < columns; ++column) {
    for (int64_t row = 0; row < spectrogram.rows; ++row) {
      const double gained = magnitude(row, columns + column) - magnitude(row, columns + column - 1);
      flux[static_cast<size_t>(column)] += std::max(0.0, gained);
    }
  }
  return flux;
}

/// A loop's flux at its two joints against that of the whole file.
struct LoopFlux {
  double wrap = 0;  // mean over the spectra that reach from the end into the beginning
  double seam = 0;  // mean over those within the cross-fade
  double percentile95 = 0;

  void print(const char* name) const {
    std::printf("    %s: flux at the wrap %.4f, within the seam %.4f, 95th percentile %.4f\n", name,
                wrap, seam, percentile95);
  }
};

inline LoopFlux loop_flux(std::span<const float> audio, double sample_rate, int64_t seam_begin,
                          int64_t seam_samples) {
  const std::vector<double> flux = circular_flux(audio, sample_rate);
  const auto columns = static_cast<int64_t>(flux.size());
  const auto mean = [&](int64_t first, int64_t count) {
    double sum = 0;
    for (int64_t i = first; i < first + count; ++i) {
      sum += flux[static_cast<size_t>((i + columns) % columns)];
    }
    return sum / static_cast<double>(count);
  };
  std::vector<double> sorted = flux;
  std::ranges::sort(sorted);
  LoopFlux result;
  result.percentile95 = sorted[sorted.size() * 95 / 100];
  result.wrap = mean(-2, 5);  // 40 ms are three and a half hops
  result.seam = mean(seam_begin / kFluxHop, std::max<int64_t>(1, seam_samples / kFluxHop));
  return result;
}

}  // namespace dsf::testing
