#include "engine/audio/mel_bands.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr double kLinearHz = 1000;           // the scale is linear below
constexpr double kLinearMel = 15;            // of it
constexpr double kHzPerMel = 200.0 / 3;      // below it
const double kLogStep = std::log(6.4) / 27;  // above it, of a mel

double to_mel(double hz) {
  return hz < kLinearHz ? hz / kHzPerMel : kLinearMel + std::log(hz / kLinearHz) / kLogStep;
}

double to_hz(double mel) {
  return mel < kLinearMel ? mel * kHzPerMel : kLinearHz * std::exp((mel - kLinearMel) * kLogStep);
}

}  // namespace

MelBands::MelBands(int64_t bands, int64_t window, double sample_rate)
    : bands_(static_cast<size_t>(bands)) {
  DSF_CHECK(bands > 0 && window > 0 && sample_rate > 0, "{} bands, window {}, rate {} Hz", bands,
            window, sample_rate);
  const double step = to_mel(sample_rate / 2) / static_cast<double>(bands + 1);
  const double hz_per_bin = sample_rate / static_cast<double>(window);
  const auto bins = static_cast<size_t>(window / 2 + 1);
  for (size_t i = 0; i < bands_.size(); ++i) {
    const double low = to_hz(static_cast<double>(i) * step);
    const double middle = to_hz(static_cast<double>(i + 1) * step);
    const double high = to_hz(static_cast<double>(i + 2) * step);
    Band& band = bands_[i];
    for (size_t bin = 0; bin < bins; ++bin) {
      const double hz = static_cast<double>(bin) * hz_per_bin;
      const double weight = std::min((hz - low) / (middle - low), (high - hz) / (high - middle));
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first = bin;
      band.weights.push_back(weight * 2 / (high - low));
    }
  }
}

void MelBands::apply(std::span<const float> magnitudes, std::span<double> result) const {
  for (size_t i = 0; i < bands_.size(); ++i) {
    double sum = 0;
    for (size_t k = 0; k < bands_[i].weights.size(); ++k) {
      sum += bands_[i].weights[k] * static_cast<double>(magnitudes[bands_[i].first + k]);
    }
    result[i] = sum;
  }
}

}  // namespace dsf
