#include "engine/training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dsf {

float LearningRate::at(int64_t step) const {
  const double peak = base, least = minimum;
  if (step <= warmup_steps) {
    return static_cast<float>(peak * static_cast<double>(step) / static_cast<double>(warmup_steps));
  }
  if (schedule == LearningRateSchedule::constant) return base;
  // At least 1, for a warm-up that is longer than the run.
  const int64_t falling = std::max<int64_t>(total_steps - warmup_steps, 1);
  const double share =
      std::min(static_cast<double>(step - 1 - warmup_steps) / static_cast<double>(falling), 1.0);
  const double height = (1.0 + std::cos(std::numbers::pi * share)) / 2.0;
  return static_cast<float>(least + (peak - least) * height);
}

}  // namespace dsf
