#pragma once
// The learning rate of a step, as a function of the step alone.
#include "engine/config/learning_config.h"

namespace dsf {

/// A rate that rises evenly from 0 over the warm-up and then stays, or falls along half a cosine:
///   t ≤ w:  base · t/w
///   t > w:  base, or min + (base − min) · (1 + cos π·(t−1−w)/(T−w)) / 2
/// with the steps t = 1 … T of a run and w = warmup_steps. Without warm-up the cosine is that of
/// PyTorch's CosineAnnealingLR with T_max = T: the first step has the base rate, and the step after
/// the last would have the least.
struct LearningRate {
  float base = 0;
  LearningRateSchedule schedule = LearningRateSchedule::constant;
  int64_t warmup_steps = 0;
  float minimum = 0;        // of the cosine
  int64_t total_steps = 1;  // T; later steps have the least rate

  float at(int64_t step) const;
  bool varies() const { return warmup_steps > 0 || schedule != LearningRateSchedule::constant; }
};

}  // namespace dsf
