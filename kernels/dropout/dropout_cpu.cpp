#include "kernels/dropout/dropout.h"
#include "kernels/residual/residual.h"

namespace dsf::cpu {

// Dropout is the residual connection with nothing to skip: one loop serves both.

void dropout_forward(const Context& ctx, Tensor y, ConstTensor x, const DropoutStream& dropout) {
  cpu::residual_forward(ctx, y, x, ConstTensor{}, dropout);
}

void dropout_backward(const Context& ctx, Gradient dx, ConstTensor dy,
                      const DropoutStream& dropout) {
  cpu::residual_backward(ctx, dx, Gradient{}, dy, dropout);
}

}  // namespace dsf::cpu
