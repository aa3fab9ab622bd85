#pragma once
// One-dimensional transposed convolution (PyTorch's torch.nn.ConvTranspose1d, which upsamples) over
// activations [B, T, C], channels last.
#include "kernels/common/convolution_numbers.h"
#include "kernels/common/dispatch.h"

namespace dsf {

struct ConvTranspose1dSpec {
  int64_t stride = 1;
  int64_t padding = 0;  // frames cut off each end of the result
  ConvolutionNumbers bf16 = {};
};

/// Frames that `frames` frames become: (T − 1)·s − 2p + k; an Error where nothing is left.
int64_t conv_transpose1d_length(int64_t frames, int64_t kernel, const ConvTranspose1dSpec& spec);

/// Weights [Cin, Cout, K], as PyTorch stores them, to [Cin, K, Cout], as conv_transpose1d takes
/// them. Done once when a model is loaded.
DSF_OP(void conv_transpose1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w))

/// y[n,u,o] = b[o] + Σ x[n,t,i]·w[i,k,o] over all i and all t, k with t·s + k − p = u.
/// x [B, T, Cin], w [Cin, K, Cout] (from conv_transpose1d_prepare), b [Cout] or empty,
/// y [B, conv_transpose1d_length(T), Cout], which must not overlap x.
DSF_OP(void conv_transpose1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                                     ConstTensor b, const ConvTranspose1dSpec& spec))

/// The same, and Snake of it by `alpha` [Cout] (kernels/snake) in `activated`, of y's shape: on a
/// GPU in one pass.
DSF_OP(void conv_transpose1d_snake_forward(const Context& ctx, Tensor y, Tensor activated,
                                           ConstTensor x, ConstTensor w, ConstTensor b,
                                           ConstTensor alpha, const ConvTranspose1dSpec& spec))

}  // namespace dsf
