#pragma once
// Convolutions in bf16: weights are rounded once, when they are loaded, and on a GPU what comes to
// them when it is written; both are half as much to read.
#include <cstdint>

#include "kernels/common/dispatch.h"

namespace dsf {

/// Which operands of a convolution lie in memory as bf16, two where a float would be: the tensor's
/// shape is the same, and it takes the first half of its memory. w is then of
/// round_convolution_weights. x and `activated` can be on a GPU only. Where w is in bf16 and x is
/// not, x is rounded before: on a GPU in a pass of its own, on the CPU tile by tile.
struct ConvolutionNumbers {
  bool x = false, w = false;
  bool activated = false;  // Snake of the result
};

/// Whether weights of so many channels are better rounded, for convolutions in `ctx`.
bool rounds_convolution(const Context& ctx, int64_t inputs, int64_t outputs);

/// Whether what comes to such convolutions is to be in bf16, too.
bool rounds_convolution_input(const Context& ctx);

/// Rounds prepared weights to bf16, as ConvolutionNumbers::w means it: from w [K, Cin, Cout], that
/// of conv1d_prepare, or [Cin, K, Cout], that of conv_transpose1d_prepare. On the CPU their order
/// stays; on a GPU it becomes [K, Cin / 4, Cout, 4], four neighbouring inputs of a channel side by
/// side, and Cin must be a multiple of 4. `to` must not overlap w.
DSF_OP(void round_convolution_weights(const Context& ctx, void* to, ConstTensor w, bool transposed))

namespace cpu {

/// Rows first … first + rows − 1 of x [frames, cols], rounded to bf16, in memory of the calling
/// thread that stays until its next call; rows beside x are zeros.
const uint16_t* rounded_rows(const float* x, int64_t frames, int64_t cols, int64_t first,
                             int64_t rows);

}  // namespace cpu
}  // namespace dsf
