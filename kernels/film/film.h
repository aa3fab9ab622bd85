#pragma once
// Feature-wise linear modulation: y[m] = gamma[r]·x[m] + beta[r], elementwise, where row r of gamma
// and beta [R, E] belongs to the M/R consecutive rows r·M/R … of x [M, E].
// Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer" (2018).
#include "kernels/common/dispatch.h"

namespace dsf {

/// x, y [M, E] (leading axes are flattened); gamma, beta [R, E], R divides M. Backward reads x.
DSF_OP(void film_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor gamma,
                         ConstTensor beta))

/// dx = dy·gamma; dgamma[r] = Σ dy·x and dbeta[r] = Σ dy over the rows of r, in a fixed order.
/// Any of them may be unwanted; dx may be dy (overwrite).
DSF_OP(void film_backward(const Context& ctx, Gradient dx, Gradient dgamma, Gradient dbeta,
                          ConstTensor dy, ConstTensor x, ConstTensor gamma))

}  // namespace dsf
