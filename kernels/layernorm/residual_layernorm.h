#pragma once
// A residual connection and the norm behind it, on a GPU in one pass:
//   sum = dropout(branch) + skip;  y = (sum − mean) · rstd · weight + bias.
// The same numbers as kernels/residual and layernorm.h one after the other.
#include "kernels/common/dispatch.h"
#include "kernels/common/random.h"

namespace dsf {

/// y, sum, branch, skip [M, E] (leading axes are flattened; y is none of the others, sum may be
/// branch or skip); mean, rstd [M] of sum are saved for backward, which reads sum too; weight, bias
/// [E] or both empty.
DSF_OP(void residual_layernorm_forward(const Context& ctx, Tensor y, Tensor sum, Tensor mean,
                                       Tensor rstd, ConstTensor branch, ConstTensor skip,
                                       const DropoutStream& dropout, ConstTensor weight,
                                       ConstTensor bias))

/// Gives what reaches `sum` through the norm (layernorm.h) to dsum: adds it to what reaches sum
/// past the norm, or, where nothing does, overwrites. dsum is then the whole gradient of sum, and
/// so that of skip, and dbranch[i] = dsum[i]·factor(i). dsum may be dy where it is overwritten; of
/// the others any may be unwanted.
DSF_OP(void residual_layernorm_backward(const Context& ctx, Gradient dsum, Gradient dbranch,
                                        Gradient dweight, Gradient dbias, ConstTensor dy,
                                        ConstTensor sum, ConstTensor mean, ConstTensor rstd,
                                        ConstTensor weight, const DropoutStream& dropout))

}  // namespace dsf
