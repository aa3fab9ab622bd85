#include "kernels/layernorm/layernorm.h"
#include "kernels/layernorm/residual_layernorm.h"
#include "kernels/residual/residual.h"

namespace dsf::cpu {

// The two ops one after the other: drawing the dropout's factors takes most of the time, and loops
// over a few rows at a time, so that the norm finds the sum in the cache, were no faster.

void residual_layernorm_forward(const Context& ctx, Tensor y, Tensor sum, Tensor mean, Tensor rstd,
                                ConstTensor branch, ConstTensor skip, const DropoutStream& dropout,
                                ConstTensor weight, ConstTensor bias) {
  cpu::residual_forward(ctx, sum, branch, skip, dropout);
  cpu::layernorm_forward(ctx, y, mean, rstd, sum, weight, bias);
}

void residual_layernorm_backward(const Context& ctx, Gradient dsum, Gradient dbranch,
                                 Gradient dweight, Gradient dbias, ConstTensor dy, ConstTensor sum,
                                 ConstTensor mean, ConstTensor rstd, ConstTensor weight,
                                 const DropoutStream& dropout) {
  cpu::layernorm_backward(ctx, dsum, dweight, dbias, dy, sum, mean, rstd, weight);
  cpu::residual_backward(ctx, dbranch, Gradient{}, dsum.tensor, dropout);
}

}  // namespace dsf::cpu
