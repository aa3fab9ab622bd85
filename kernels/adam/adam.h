#pragma once
// Adam (Kingma & Ba 2015) as PyTorch computes it, over flat parameters:
//   m = β1·m + (1−β1)·g;  v = β2·v + (1−β2)·g²
//   w −= lr/(1−β1^t) · m / (√v/√(1−β2^t) + ε)
#include "kernels/common/dispatch.h"

namespace dsf {

struct AdamSettings {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
};

/// Step t = `step`, counted from 1. w, m, v, g of equal size; w, m and v are updated in place.
DSF_OP(void adam_step(const Context& ctx, Tensor w, Tensor m, Tensor v, ConstTensor g,
                      const AdamSettings& settings, int64_t step))

}  // namespace dsf
