#pragma once
// One-dimensional convolution (cross-correlation, as PyTorch's torch.nn.Conv1d) over activations
// [B, T, C]: channels last, so that every tap is a plain matrix product of shifted rows of x.
#include "kernels/common/convolution_numbers.h"
#include "kernels/common/dispatch.h"

namespace dsf {

struct Conv1dSpec {
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t padding = 0;  // zeros assumed on each side of x
  ConvolutionNumbers bf16 = {};
  bool minimal = false;  // w is of conv1d_prepare_minimal: 8 products for 14, on the CPU
};

/// Minimal filtering (conv1d/minimal_filtering.h): of so many taps, by so many products.
inline constexpr int64_t kMinimalTaps = 7, kMinimalPoints = 8;

/// The kernel's size, of prepared weights.
inline int64_t conv1d_taps(ConstTensor w, const Conv1dSpec& spec) {
  return spec.minimal ? kMinimalTaps : w.dim(0);
}

/// Frames that `frames` frames become: floor((T + 2p − d(k−1) − 1)/s) + 1; an Error where x with
/// its padding is shorter than the kernel.
int64_t conv1d_length(int64_t frames, int64_t kernel, const Conv1dSpec& spec);

/// Weights [Cout, Cin, K], as PyTorch stores them, to [K, Cin, Cout], as conv1d takes them. Done
/// once when a model is loaded.
DSF_OP(void conv1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w))

/// Weights [Cout, Cin, 7] to [8, Cin, Cout], as conv1d takes them where `minimal` is set and the
/// stride is 1. In the host's memory.
void conv1d_prepare_minimal(Tensor prepared, ConstTensor w);

/// y[n,t,o] = b[o] + Σ_k,i x[n, t·s + k·d − p, i]·w[k,i,o], x taken as 0 outside its ends.
/// x [B, T, Cin], w [K, Cin, Cout] (from conv1d_prepare, or conv1d_prepare_minimal), b [Cout] or
/// empty, y [B, conv1d_length(T), Cout], which must not overlap x.
DSF_OP(void conv1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                           ConstTensor b, const Conv1dSpec& spec))

/// y += what conv1d_forward gives: a convolution that ends a residual branch adds to the skip
/// connection in y.
DSF_OP(void conv1d_add_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                               ConstTensor b, const Conv1dSpec& spec))

/// y = tanh of what conv1d_forward gives: the codec's last layer.
DSF_OP(void conv1d_tanh_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                                ConstTensor b, const Conv1dSpec& spec))

/// Snake by `alpha` [Cout] (kernels/snake) of what conv1d_forward gives, and of the y that
/// conv1d_add_forward leaves, in `activated`, of y's shape, which must not overlap x: in one
/// pass.
DSF_OP(void conv1d_snake_forward(const Context& ctx, Tensor activated, ConstTensor x, ConstTensor w,
                                 ConstTensor b, ConstTensor alpha, const Conv1dSpec& spec))
DSF_OP(void conv1d_add_snake_forward(const Context& ctx, Tensor y, Tensor activated, ConstTensor x,
                                     ConstTensor w, ConstTensor b, ConstTensor alpha,
                                     const Conv1dSpec& spec))

}  // namespace dsf
