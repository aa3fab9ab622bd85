#pragma once
// Softmax cross-entropy against class indices, alone or fused with its gradient:
//   losses[m] = log Σ_v exp(logits[m, v]) − logits[m, targets[m]],  loss = mean over m
//   dlogits = (softmax(logits) − onehot(targets)) / M
#include "kernels/common/dispatch.h"

namespace dsf {

/// logits [M, V], targets [M] in [0, V); losses [M]; loss [1], the mean, summed in double in an
/// order that is always the same. A target outside is an Error, raised before anything is written;
/// on a GPU, which cannot raise one, its row's loss and gradient, and so `loss`, are NaN.
DSF_OP(void cross_entropy_forward(const Context& ctx, Tensor loss, Tensor losses,
                                  ConstTensor logits, ConstIndexTensor targets))

/// The same and the gradient of `loss` in one pass over the logits; dlogits may be the logits
/// themselves where it is overwritten.
DSF_OP(void cross_entropy_forward_backward(const Context& ctx, Tensor loss, Tensor losses,
                                           Gradient dlogits, ConstTensor logits,
                                           ConstIndexTensor targets))

}  // namespace dsf
