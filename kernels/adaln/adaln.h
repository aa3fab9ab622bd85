#pragma once
// Adaptive normalisation by learned statistics, elementwise:
//   y[m] = gamma[r]·(x[m] − mu[r]) / (exp(log_sigma[r]) + ε) + beta[r],
// where row r of mu, log_sigma, gamma and beta [R, E] belongs to the M/R consecutive rows r·M/R …
// of x [M, E]. Unlike a layer norm it measures nothing of x: mean and deviation come from the
// condition. Source: upstream's AdaLN.
#include "kernels/common/dispatch.h"

namespace dsf {

inline constexpr float kAdalnEpsilon = 1e-6F;  // upstream's

/// The rows that a condition gives.
struct AdalnRows {
  ConstTensor mu, log_sigma, gamma, beta;  // [R, E], R divides M
};

/// Gradients of the same. They are wanted together.
struct AdalnGradients {
  Gradient mu, log_sigma, gamma, beta;
};

/// x, y [M, E] (leading axes are flattened; y may be x). `scale` [R, E] = gamma/(exp(log_sigma) +
/// ε) is saved for backward, which reads x too.
DSF_OP(void adaln_forward(const Context& ctx, Tensor y, Tensor scale, ConstTensor x,
                          const AdalnRows& rows))

/// With σ = exp(log_sigma), and A = Σ dy·(x − mu) and B = Σ dy over the rows of r, in a fixed
/// order:
///   dx = dy·scale;  dbeta = B;  dmu = −scale·B;
///   dgamma = A/(σ + ε);  dlog_sigma = −scale·A·σ/(σ + ε).
/// dx may be dy (overwrite), or unwanted.
DSF_OP(void adaln_backward(const Context& ctx, Gradient dx, const AdalnGradients& drows,
                           ConstTensor dy, ConstTensor x, ConstTensor scale, const AdalnRows& rows))

}  // namespace dsf
