#pragma once
// Short-time spectra on a logarithmic frequency axis, one value per pixel.
#include <cstdint>
#include <span>
#include <vector>

namespace dsf {

struct Spectrogram {
  int64_t columns = 0;  // over time
  int64_t rows = 0;     // over frequency, the highest first
  double lowest_hz = 0;
  double highest_hz = 0;
  std::vector<float> decibels;  // [rows, columns]; a sine of amplitude 1 gives 0
};

inline constexpr float kSilenceDecibels = -200.0F;  // the least value in a spectrogram

/// Spectra of Hann windows of about 40 ms. A column is the mean power of up to eight windows that
/// lie evenly in its time; a row the mean power of its bins, interpolated where rows are finer
/// than bins. `audio` may be shorter than a window; sample_rate > 0, columns and rows ≥ 1.
Spectrogram compute_spectrogram(std::span<const float> audio, double sample_rate, int64_t columns,
                                int64_t rows, double lowest_hz = 50);

}  // namespace dsf
