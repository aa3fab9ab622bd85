#pragma once
// What of a step of Adam is the same for all parameters: the host's work on either device.
#include <cmath>
#include <limits>

#include "kernels/adam/adam.h"
#include "kernels/common/random.h"

namespace dsf {

/// w = keep·w − step_size · m / (√v·root_correction + epsilon), and so on: see adam.h. Without
/// clipping clip_norm is infinite.
struct AdamFactors {
  float decay1, gain1, decay2, gain2, step_size, root_correction, epsilon, keep, clip_norm;
};
/// As floats of a tensor.
inline constexpr int64_t kAdamFactors = sizeof(AdamFactors) / sizeof(float);

/// Computed in double, then rounded once.
inline AdamFactors adam_factors(const AdamSettings& settings, int64_t step) {
  const double beta1 = settings.beta1, beta2 = settings.beta2;
  const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(step));
  const double rate = settings.learning_rate, weight_decay = settings.weight_decay;
  return {static_cast<float>(beta1),
          static_cast<float>(1.0 - beta1),
          static_cast<float>(beta2),
          static_cast<float>(1.0 - beta2),
          static_cast<float>(rate / correction1),
          static_cast<float>(1.0 / std::sqrt(correction2)),
          static_cast<float>(settings.epsilon),
          static_cast<float>(1.0 - rate * weight_decay),
          settings.clip_norm.value_or(std::numeric_limits<float>::infinity())};
}

/// The factor that makes a gradient of length `norm` no longer than clip_norm; where ops run.
R123_CUDA_DEVICE DSF_INLINE float clip_scale(float clip_norm, float norm) {
  constexpr float kMargin = 1e-6F;  // PyTorch's, against a division by zero
  const float scale = clip_norm / (norm + kMargin);
  return scale < 1.0F ? scale : 1.0F;
}

}  // namespace dsf
