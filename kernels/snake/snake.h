#pragma once
// Snake, the periodic activation of the Descript Audio Codec: y = x + sin²(α·x)/(α + 1e-9), one α
// per channel. Source: Ziyin et al., "Neural networks fail to learn periodic functions and how to
// fix it" (2020); the 1e-9 is the codec's.
#include "kernels/common/dispatch.h"

namespace dsf {

/// x and y [..., C] of equal shape, alpha [C]; y may be x. sin² is off by 3e-7 at most for
/// |α·x| ≤ 1e4 and by more beyond; from 1e7 on, where the spacing of floats nears a period, it need
/// not even be below 1.
DSF_OP(void snake_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor alpha))

namespace cpu {
/// The same of rows of `cols` neighbouring channels, `stride` apart, by the calling thread: for ops
/// that end in Snake, while what they computed is in a cache.
void snake_rows(float* y, const float* x, const float* alpha, int64_t rows, int64_t cols,
                int64_t stride);
}  // namespace cpu

}  // namespace dsf
