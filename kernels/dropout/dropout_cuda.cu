#include "kernels/dropout/dropout.h"
#include "kernels/residual/residual.h"

namespace dsf::cuda {

// Dropout is the residual connection with nothing to skip: one kernel serves both.

void dropout_forward(const Context& ctx, Tensor y, ConstTensor x, const DropoutStream& dropout) {
  cuda::residual_forward(ctx, y, x, ConstTensor{}, dropout);
}

void dropout_backward(const Context& ctx, Gradient dx, ConstTensor dy,
                      const DropoutStream& dropout) {
  cuda::residual_backward(ctx, dx, Gradient{}, dy, dropout);
}

}  // namespace dsf::cuda
