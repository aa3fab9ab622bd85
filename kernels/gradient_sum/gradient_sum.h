#pragma once
// sum = scale·g, or sum + scale·g where it accumulates: the gradient of several batches, one after
// the other, as that of one larger batch.
#include "kernels/common/dispatch.h"

namespace dsf {

/// sum and g of equal size, not overlapping.
DSF_OP(void gradient_sum(const Context& ctx, Gradient sum, ConstTensor g, float scale))

}  // namespace dsf
