#pragma once
// y = max(x, 0), elementwise; the gradient at 0 is 0 (as PyTorch's).
#include "kernels/common/dispatch.h"

namespace dsf {

/// y = max(x, 0). y and x of equal shape; y may be x. Saves nothing: backward reads y.
DSF_OP(void relu_forward(const Context& ctx, Tensor y, ConstTensor x))

/// dx = dy where y > 0, else 0. All of equal shape; dx may be dy.
DSF_OP(void relu_backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor y))

}  // namespace dsf
