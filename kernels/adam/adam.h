#pragma once
// Adam (Kingma & Ba 2015) and its variant with decoupled weight decay, AdamW (Loshchilov & Hutter
// 2019), as PyTorch computes them, over flat parameters:
//   g' = s·g
//   m = β1·m + (1−β1)·g';  v = β2·v + (1−β2)·g'²
//   w = (1 − lr·λ)·w − lr/(1−β1^t) · m / (√v/√(1−β2^t) + ε)
// With λ = 0 this is Adam; s is the factor by which clipping shortens a gradient, 1 without.
#include "kernels/common/dispatch.h"

namespace dsf {

struct AdamSettings {
  float learning_rate = 1e-3F;
  // In double, as 1 − β is not what it should be in float: 1.3e-5 less for 0.999.
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  float weight_decay = 0;    // λ
  float gradient_scale = 1;  // s
};

/// Step t = `step`, counted from 1. w, m, v, g of equal size; w, m and v are updated in place.
DSF_OP(void adam_step(const Context& ctx, Tensor w, Tensor m, Tensor v, ConstTensor g,
                      const AdamSettings& settings, int64_t step))

}  // namespace dsf
