#pragma once
// y[i] = x[i]·factor(i), factor 0 with probability `rate`, else 1/(1 − rate), drawn from the
// stream at index i (kernels/common/random.h): nothing is stored, backward draws the same factors.
// Srivastava et al., "Dropout" (2014), in its inverted form.
#include "kernels/common/dispatch.h"
#include "kernels/common/random.h"

namespace dsf {

/// y and x of equal shape; y may be x. An inactive stream (rate 0) copies.
DSF_OP(void dropout_forward(const Context& ctx, Tensor y, ConstTensor x,
                            const DropoutStream& dropout))

/// dx[i] = dy[i]·factor(i); dx may be dy (overwrite).
DSF_OP(void dropout_backward(const Context& ctx, Gradient dx, ConstTensor dy,
                             const DropoutStream& dropout))

}  // namespace dsf
