#pragma once
// Adam (Kingma & Ba 2015) and its variant with decoupled weight decay, AdamW (Loshchilov & Hutter
// 2019), as PyTorch computes them, over flat parameters:
//   g' = g·min(1, clip_norm / (norm + 1e-6))
//   m = β1·m + (1−β1)·g';  v = β2·v + (1−β2)·g'²
//   w = (1 − lr·λ)·w − lr/(1−β1^t) · m / (√v/√(1−β2^t) + ε)
// With λ = 0 this is Adam. A gradient longer than clip_norm is shortened to it, as
// torch.nn.utils.clip_grad_norm_ does.
#include <optional>

#include "kernels/common/dispatch.h"

namespace dsf {

struct AdamSettings {
  float learning_rate = 1e-3F;
  // In double, as 1 − β is not what it should be in float: 1.3e-5 less for 0.999.
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  float weight_decay = 0;  // λ
  std::optional<float> clip_norm = std::nullopt;
  /// Where not empty, a GPU takes the step's factors (factors.h) from here, in its memory, and not
  /// from the rate and the step's number: recorded work (graph.h) is of many steps.
  ConstTensor device_factors = {};
};

/// Step t = `step`, counted from 1. w, m, v, g of equal size; w, m and v are updated in place.
/// norm [1] is the length of g, or of a longer gradient that g is part of; only needed with
/// clip_norm. Where guard [1] is NaN nothing is changed (kernels/step_record); it may be empty.
DSF_OP(void adam_step(const Context& ctx, Tensor w, Tensor m, Tensor v, ConstTensor g,
                      ConstTensor norm, ConstTensor guard, const AdamSettings& settings,
                      int64_t step))

}  // namespace dsf
