#pragma once
// y = dropout(branch) + skip, elementwise: a residual connection with its dropout in one pass.
#include "kernels/common/dispatch.h"
#include "kernels/common/random.h"

namespace dsf {

/// All of equal shape; y may be branch or skip; an empty skip counts as zero. Saves nothing: the
/// factors are drawn again.
DSF_OP(void residual_forward(const Context& ctx, Tensor y, ConstTensor branch, ConstTensor skip,
                             const DropoutStream& dropout))

/// dbranch[i] = dy[i]·factor(i), dskip = dy. Either may be unwanted, and one of them may be dy
/// where it is overwritten (adding to dy while it is read would be an Error).
DSF_OP(void residual_backward(const Context& ctx, Gradient dbranch, Gradient dskip, ConstTensor dy,
                              const DropoutStream& dropout))

}  // namespace dsf
