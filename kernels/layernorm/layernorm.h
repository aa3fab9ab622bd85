#pragma once
// Layer normalisation over the last axis, with or without affine parameters:
//   y = (x − mean) · rstd · weight + bias,  rstd = 1/√(variance + ε), variance over E (not E − 1).
// Ba et al., "Layer Normalization" (2016).
#include "kernels/common/dispatch.h"

namespace dsf {

inline constexpr double kLayerNormEpsilon = 1e-5;  // PyTorch's default, which upstream uses

/// x, y [M, E] (leading axes are flattened; y may not be x); mean, rstd [M] are saved for backward;
/// weight, bias [E] or both empty.
DSF_OP(void layernorm_forward(const Context& ctx, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
                              ConstTensor weight, ConstTensor bias))

/// With n = (x − mean)·rstd and g = dy·weight:
///   dx = rstd · (g − mean(g) − n · mean(g·n));  dweight = Σ_m dy·n;  dbias = Σ_m dy.
/// Any of the gradients may be unwanted; dx may be dy.
DSF_OP(void layernorm_backward(const Context& ctx, Gradient dx, Gradient dweight, Gradient dbias,
                               ConstTensor dy, ConstTensor x, ConstTensor mean, ConstTensor rstd,
                               ConstTensor weight))

}  // namespace dsf
