#pragma once
// Triangular bands, evenly spaced on Slaney's mel scale (linear below 1 kHz, logarithmic above)
// from 0 to half the sample rate and each of area 1: what librosa.filters.mel gives by default. M.
// Slaney, "Auditory Toolbox", Interval technical report 1998-010.
#include <cstdint>
#include <span>
#include <vector>

namespace dsf {

class MelBands {
 public:
  /// For spectra of `window` samples.
  MelBands(int64_t bands, int64_t window, double sample_rate);

  size_t bands() const { return bands_.size(); }
  /// The bands of a spectrum of window/2 + 1 magnitudes.
  void apply(std::span<const float> magnitudes, std::span<double> result) const;

 private:
  struct Band {
    size_t first = 0;  // bin
    std::vector<double> weights;
  };
  std::vector<Band> bands_;
};

}  // namespace dsf
