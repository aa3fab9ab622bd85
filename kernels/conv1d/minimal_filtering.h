#pragma once
// A convolution of 7 taps as F(2,7), minimal filtering (S. Winograd, "Arithmetic Complexity of
// Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2016): two outputs that lie a dilation apart are seven taps each, that is 14 products for each
// pair of channels; as polynomials of degree 7, known at 8 points, they are 8.
//   z_p = Σ_m B[p,m]·x[t + m·d]      (of each channel)
//   s_p = z_p · G_p                  (matrix products, G_p = Σ_k G[p,k]·w[k])
//   y[t] = Σ_p A[0,p]·s_p,  y[t + d] = Σ_p A[1,p]·s_p
// with the points 0, ±1, ±2, ±1/2 and ∞. Errors are 2e-7 to 6e-7 of the result, two to three
// times those of seven taps and within the op's limit (not a whole decoder's:
// engine/codec/codec.h).
#include "kernels/conv1d/conv1d.h"

namespace dsf::cpu {

/// y = keep·y + b + the convolution of one sequence, for frames [begin, end) and channels [first,
/// first + count) of y [·, Cout], by the calling thread. x [frames, Cin] is 0 outside; w [8, Cin,
/// Cout] from conv1d_prepare_minimal; b null or [Cout].
void filter_minimally(float* y, const float* x, ConstTensor w, const float* b, float keep,
                      const Conv1dSpec& spec, int64_t frames, int64_t begin, int64_t end,
                      int64_t first, int64_t count);

}  // namespace dsf::cpu
