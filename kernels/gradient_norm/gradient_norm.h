#pragma once
// norm = √(Σ g²), over all gradients at once.
#include "kernels/common/dispatch.h"

namespace dsf {

/// Floats that one entry of `block_sums` covers.
inline constexpr int64_t kNormBlock = 65536;

/// norm [1], g of any shape; block_sums [ceil(size / kNormBlock)] is scratch. Summed in double
/// within a block and over blocks, in an order that is always the same, so the result does not
/// depend on the number of threads. Infinite or NaN gradients give an infinite or NaN norm.
DSF_OP(void gradient_norm(const Context& ctx, Tensor norm, ConstTensor g, Tensor block_sums))

}  // namespace dsf
