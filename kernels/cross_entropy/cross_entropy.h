#pragma once
// Softmax cross-entropy against class indices, alone or fused with its gradient:
//   losses[m] = log Σ_v exp(logits[m, v]) − logits[m, targets[m]],  loss = Σ_m losses[m] / counted
//   dlogits = (softmax(logits) − onehot(targets)) / counted
#include "kernels/common/dispatch.h"

namespace dsf {

/// The target of a row that has none: its loss and gradient are 0 (its logits being finite), and
/// the mean is over the others.
inline constexpr int32_t kNoTarget = -1;

/// logits [M, V], targets [M] in [0, V) or kNoTarget, `counted` of them in [0, V); losses [M]; loss
/// [1], the mean, summed in double in an order that is always the same. A target outside, and
/// another number of them, is an Error, raised before anything is written; on a GPU, which cannot
/// raise one, the row's loss and gradient, and so `loss`, are NaN, and the number is not looked at.
DSF_OP(void cross_entropy_forward(const Context& ctx, Tensor loss, Tensor losses,
                                  ConstTensor logits, ConstIndexTensor targets, int64_t counted))

/// The same and the gradient of `loss` in one pass over the logits; dlogits may be the logits
/// themselves where it is overwritten.
DSF_OP(void cross_entropy_forward_backward(const Context& ctx, Tensor loss, Tensor losses,
                                           Gradient dlogits, ConstTensor logits,
                                           ConstIndexTensor targets, int64_t counted))

}  // namespace dsf
