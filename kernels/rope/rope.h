#pragma once
// Rotary position embedding: each of H heads of size S = E/H is turned in F = floor(S/2) planes,
//   y[i] = x[i]·first[t, i] − x[i+F]·second[t, i],   y[i+F] = x[i]·second[t, i] + x[i+F]·first[t,
//   i]
// and of an odd S the last channel passes unturned. One op for both uses; the tables tell them
// apart. Su et al., "RoFormer" (2021).
#include "kernels/common/counter.h"
#include "kernels/common/dispatch.h"

namespace dsf {

/// x, y [B, T, E] (y may be x); first, second [T, F]. Backward needs only the tables.
DSF_OP(void rope_forward(const Context& ctx, Tensor y, ConstTensor x, int64_t heads,
                         ConstTensor first, ConstTensor second))

/// dx = dy turned back; dx may be dy (overwrite).
DSF_OP(void rope_backward(const Context& ctx, Gradient dx, ConstTensor dy, int64_t heads,
                          ConstTensor first, ConstTensor second))

/// Upstream's tables, on the host, for positions 0, 1, … over the whole embedding (heads = 1, F =
/// E/2): first[t, i] = sin(angle[t, floor(i/2)]), second[t, i] = cos(the same), angle[t, j] =
/// t·10000^(−2j/F), in float32 step by step as PyTorch computes it there.
void rope_embedding_tables(Tensor first, Tensor second, int64_t embed_size);

/// Tables for one head from position `first_position` on: first = cos, second = sin of
/// p·10000^(−i/F). Phases are computed in double: at position 10⁶ a float32 angle is off by
/// 0.06 rad, these by less than 10⁻⁹.
DSF_OP(void rope_head_tables(const Context& ctx, Tensor first, Tensor second,
                             Counter first_position, int64_t head_size))

}  // namespace dsf
