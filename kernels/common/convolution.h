#pragma once
// Convolutions along time on a GPU: what conv1d and conv_transpose1d share.
#include <array>

#include "kernels/common/context.h"
#include "kernels/common/convolution_numbers.h"
#include "kernels/common/tensor.h"

namespace dsf::cuda {

/// For each sequence n, phase f, row r and channel o
///   y[n, r·phases + f − cut, o] = b[o] + Σ_tap,i x[n, r·stride + tap·step + offset, i] · w[k, o],
///   k = (f + tap·phases)·tap_rows + i·input_rows,
/// over all taps with f + tap·phases < kernel, x taken as 0 outside its ends. A transposed
/// convolution of stride s has s phases: frames of y that are s apart meet the same taps.
struct Convolution {
  float* y;        // [sequences, length, outputs]
  const float* x;  // [sequences, frames, inputs]
  const float* w;  // a matrix of rows of `outputs`
  const float* b;  // [outputs] or null
  int sequences, frames, inputs, length, outputs, kernel;
  int stride = 1, step = 1, offset = 0;
  int phases = 1, cut = 0;
  int tap_rows = 0, input_rows = 0;
  /// Snake of y by `alpha`, beside y or, where it is y, instead of it; null: not wanted.
  float* activated = nullptr;
  const float* alpha = nullptr;
  ConvolutionNumbers bf16;  // which of x, w and `activated` are no floats

  Convolution(Tensor to, ConstTensor from, ConstTensor weights, ConstTensor bias, int64_t taps)
      : y(to.data),
        x(from.data),
        w(weights.data),
        b(bias.data),
        sequences(static_cast<int>(from.dim(0))),
        frames(static_cast<int>(from.dim(1))),
        inputs(static_cast<int>(from.dim(2))),
        length(static_cast<int>(to.dim(1))),
        outputs(static_cast<int>(to.dim(2))),
        kernel(static_cast<int>(taps)) {}
};

/// What becomes of the sums.
enum class Finish { overwrite, add, tanh };

[[gnu::weak]] void convolve(const Context& ctx, const Convolution& convolution, Finish finish);

// What `convolve` chooses from.

/// Whether cuDNN took it: false where there is none, where it has no plan, and of weights in bf16,
/// of which its sums would be rounded before they are finished.
[[gnu::weak]] bool convolve_through_cudnn(const Context& ctx, const Convolution& convolution,
                                          Finish finish);
/// Frees a stream's memory for it, if it has any, when what is queued there is done.
[[gnu::weak]] void release_cudnn_memory(void* stream) noexcept;

/// Whether it has one channel, and rows of x and w that can be read four floats at a time; and the
/// same for such, which does not activate.
bool fits_one_channel(const Convolution& convolution);
void convolve_to_one_channel(const Context& ctx, const Convolution& convolution, Finish finish);

/// Whether rows of x, w and y can be copied 16 bytes at a time, as the tiles below need them.
bool fits_tiles(const Convolution& convolution);
void convolve_in_float_tiles(const Context& ctx, const Convolution& convolution, Finish finish);

/// The same on tensor cores: of w in bf16, and then of x rounded to it, or else of both rounded to
/// TF32.
void convolve_on_tensor_cores(const Context& ctx, const Convolution& convolution, Finish finish);

/// The tiles, frames by channels, that it chooses from; which of them it takes; and the same in a
/// given one, for tests and benches.
inline constexpr const char* kConvolutionTiles[] = {
    "256x96", "128x128", "128x96", "64x64", "32x32", "128x96 of 8 warps in bf16"};
[[gnu::weak]] size_t chosen_tile(const Convolution& convolution);
[[gnu::weak]] void convolve_in_tiles(const Context& ctx, const Convolution& convolution,
                                     Finish finish, size_t tile);

/// to[a, b, c] = from[a·strides[0] + b·strides[1] + c·strides[2]].
void permute(const Context& ctx, Tensor to, ConstTensor from, std::array<int64_t, 3> strides);

}  // namespace dsf::cuda
