#pragma once
// y = x·Wᵀ + b, a fully connected layer, and the same over a concatenation that is never built.
// W is [out, in], as PyTorch's torch.nn.Linear stores it.
#include "kernels/common/dispatch.h"

namespace dsf {

/// y[m,o] = Σ_i x[m,i]·w[o,i] + b[o]. x [M, I] (leading axes are flattened), w [O, I], b [O] or
/// empty, y [M, O]. Saves nothing: backward reads x.
DSF_OP(void linear_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                           ConstTensor b))

/// y = max(x·Wᵀ + b, 0): the same with a ReLU (kernels/relu), in the product's last step but for
/// few rows on the CPU.
DSF_OP(void linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                                ConstTensor b))

/// dx = dy·W, dw = dyᵀ·x, db = Σ_m dy. Any of the gradients may be unwanted.
DSF_OP(void linear_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                            ConstTensor dy, ConstTensor x, ConstTensor w))

/// The same behind linear_relu_forward, which gave y: of dy where y > 0 and of 0 elsewhere. `dsum`,
/// of dy's shape, is scratch for that and may be dy.
DSF_OP(void linear_relu_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                                 ConstTensor dy, ConstTensor y, ConstTensor x, ConstTensor w,
                                 Tensor dsum))

/// y = [x, c]·Wᵀ + b, where row r of the conditioning c [R, C] belongs to the M/R consecutive rows
/// r·M/R … of x [M, I]; w [O, I+C], b [O], y [M, O]. The conditioning's share of the product is
/// computed once per row of c. `c_product` [R, O] is scratch. Source: upstream's `linear_reduce`.
DSF_OP(void linear_concat_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor c,
                                  ConstTensor w, ConstTensor b, Tensor c_product))

/// dx = dy·W[:, :I], dw = dyᵀ·[x, c], db = Σ_m dy; c gets no gradient (it is data).
/// `dy_sums` [R, O] is scratch: dy summed over the rows of each row of c.
DSF_OP(void linear_concat_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                                   ConstTensor dy, ConstTensor x, ConstTensor c, ConstTensor w,
                                   Tensor dy_sums))

}  // namespace dsf
