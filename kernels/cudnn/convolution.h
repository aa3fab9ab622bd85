#pragma once
// Convolutions on a GPU through cuDNN, where it is there. This folder alone knows its API; the
// simulation answers the same calls on the host (tests/simt/cudnn.cpp).
#include <cstdint>
#include <string>

#include "kernels/common/context.h"

namespace dsf::cudnn {

/// y [sequences, length, outputs] of x [sequences, frames, inputs] and w, in rows without gaps:
///   y[n, t, o] = Σ_k,i x[n, t·stride + k·dilation − padding, i]·w[o, k, i], w [outputs, kernel,
/// inputs], x taken as 0 outside its ends, or, transposed,
///   y[n, u, o] = Σ x[n, t, i]·w[i, k, o] over all i and all t, k with t·stride + k − padding = u,
/// w [inputs, kernel, outputs]. All are float32: of bf16 numbers cuDNN's results are bf16, too.
struct Convolution {
  bool transposed = false;
  int64_t sequences = 0, frames = 0, inputs = 0, length = 0, outputs = 0, kernel = 0;
  int64_t stride = 1, dilation = 1, padding = 0;
};

/// Why there is no cuDNN to convolve with; empty where there is.
[[gnu::weak]] std::string lacks();

/// Whether cuDNN is there and has a plan for it in the precision of `ctx`: one that gives the same
/// bits every time and rounds operands to TF32 at most, in fp32 not at all. The first call of a
/// convolution on a stream looks for one.
[[gnu::weak]] bool can_convolve(const Context& ctx, const Convolution& convolution);

/// Queues it on the stream of `ctx`; an Error where cuDNN cannot. All addresses fit 16 bytes.
[[gnu::weak]] void convolve(const Context& ctx, const Convolution& convolution, float* y,
                            const float* x, const float* w);

/// Frees what cuDNN has for a stream, if anything, when its work is done.
[[gnu::weak]] void release(void* stream) noexcept;

}  // namespace dsf::cudnn
