#pragma once
// Banded causal multi-head attention: position i sees positions max(0, i − lookback) … i.
//   p = softmax(q·kᵀ/√S) over what is seen,  y = dropout(p)·v,  per head of size S = E/H
// Vaswani et al., "Attention Is All You Need" (2017). Work is proportional to the band, not to T².
// A GPU takes heads of at most 128 and throws an Error for larger ones; the CPU takes any. Where
// its context asks for TF32 or bf16, a GPU rounds the operands of all products, p∘f and ds too,
// but not those of large heads where its blocks have too little shared memory for that.
#include "kernels/common/counter.h"
#include "kernels/common/dispatch.h"
#include "kernels/common/random.h"

namespace dsf {

/// q, k, v, y [B, T, E]. Saves softmax [B, H, T, 3]: of each row its largest product q·kᵀ and the
/// inverse of Σ exp((q·kᵀ − largest)/√S), from which backward computes the same p again. (One
/// logarithm of both would lose the sum's digits where scores are large.) The third number is
/// backward's to write. The dropout factor of probability (b, h, i, j) has index
/// ((b·H + h)·T + i)·(lookback + 1) + j − i + lookback in the stream.
DSF_OP(void attention_forward(const Context& ctx, Tensor y, Tensor softmax, ConstTensor q,
                              ConstTensor k, ConstTensor v, int64_t heads, int64_t lookback,
                              const DropoutStream& dropout))

/// With f the dropout factors, computed again from the stream, and D = Σ dy·y per row and head:
///   dv = (p∘f)ᵀ·dy;  ds = p∘(f∘(dy·vᵀ) − D)/√S;  dq = ds·k;  dk = dsᵀ·q.
/// A GPU's kernels hand D on in `softmax`. All three gradients are wanted. The result does not
/// depend on the number of threads.
DSF_OP(void attention_backward(const Context& ctx, Gradient dq, Gradient dk, Gradient dv,
                               ConstTensor dy, ConstTensor y, Tensor softmax, ConstTensor q,
                               ConstTensor k, ConstTensor v, int64_t heads, int64_t lookback,
                               const DropoutStream& dropout))

/// Frame number `frame`, counted from 0, of each stream attends to the first min(frame + 1, W)
/// entries of rings keys and values [W, B, E], in whatever order they are (positions are in the
/// keys); q, y [B, E]. Forward only.
DSF_OP(void attention_step_forward(const Context& ctx, Tensor y, ConstTensor q, ConstTensor keys,
                                   ConstTensor values, Counter frame, int64_t heads))

namespace cpu {
/// The same by the calling thread for head h of stream b where b·heads + h is in [begin, end).
void attention_step_heads(Tensor y, ConstTensor q, ConstTensor keys, ConstTensor values,
                          Counter frame, int64_t heads, int64_t begin, int64_t end);
}  // namespace cpu

}  // namespace dsf
