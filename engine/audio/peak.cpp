#include "engine/audio/peak.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/checks.h"

namespace dsf {

double limit_peak(std::span<float> samples, double ceiling) {
  double peak = 0;
  for (const float sample : samples) {
    DSF_CHECK(std::isfinite(sample), "a sample is {}", sample);
    peak = std::max(peak, std::abs(static_cast<double>(sample)));
  }
  const double limit = std::pow(10.0, ceiling / 20);
  if (peak <= limit) return 0;
  for (float& sample : samples) {
    sample = static_cast<float>(static_cast<double>(sample) * (limit / peak));
  }
  return 20 * std::log10(limit / peak);
}

}  // namespace dsf
