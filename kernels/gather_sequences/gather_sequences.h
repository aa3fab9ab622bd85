#pragma once
// A batch of training sequences, taken from a data set that lies where ops run: what a model reads,
// what it is to predict, and each sequence's conditioning.
#include "kernels/common/dispatch.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace dsf {

/// Sequence b consists of the F frames of tokens [P, N] from frame begins[b] on, and belongs to row
/// files[b] of cond [R, C]. Its targets are its last L frames, L ≤ F, its inputs the frame before
/// each of them, which before its first frame is `start_code` in every codebook (L = F).
/// Where `delay` is not 0 (L = F then), codebook n lies n·delay places later in both; its inputs
/// before are `start_code`, its targets `kNoTarget`, and its last codes are left out.
/// inputs and targets [B, L, N], batch_cond [B, C]; begins and files [B]. A place outside `tokens`
/// or `cond` is an Error on the CPU; a GPU, which cannot raise one, must not be given any.
DSF_OP(void gather_sequences(const Context& ctx, IndexTensor inputs, IndexTensor targets,
                             Tensor batch_cond, ConstIndexTensor tokens, ConstTensor cond,
                             ConstIndexTensor begins, ConstIndexTensor files, int64_t frames,
                             int32_t start_code, int64_t delay))

}  // namespace dsf
