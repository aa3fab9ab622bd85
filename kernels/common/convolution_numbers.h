#pragma once
// Convolutions in bf16 on a GPU: what is rounded for them is rounded once, when it is written, and
// is half as much to read.
#include <cstdint>

#include "kernels/common/context.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// Which operands of a convolution lie in memory as bf16, two where a float would be: the tensor's
/// shape is the same, and it takes the first half of its memory. On a GPU only. Where w does and x
/// does not, x is rounded in a pass of its own.
struct ConvolutionNumbers {
  bool x = false, w = false;
  bool activated = false;  // Snake of the result

  bool any() const { return x || w || activated; }
};

/// Whether weights of so many channels are better rounded, for convolutions in `ctx`.
bool rounds_convolution(const Context& ctx, int64_t inputs, int64_t outputs);

namespace cuda {

/// Rounds prepared weights to bf16, four neighbouring inputs of a channel side by side, as
/// ConvolutionNumbers::w means it: from w [K, Cin, Cout], that of conv1d_prepare, or [Cin, K,
/// Cout], that of conv_transpose1d_prepare, to [K, Cin / 4, Cout, 4] of two bytes each. `to` must
/// not overlap w, and Cin must be a multiple of 4.
[[gnu::weak]] void round_convolution_weights(const Context& ctx, void* to, ConstTensor w,
                                             bool transposed);

}  // namespace cuda
}  // namespace dsf
