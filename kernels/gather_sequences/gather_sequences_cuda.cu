#include "kernels/common/launch.h"
#include "kernels/gather_sequences/gather_sequences.h"

namespace dsf::cuda {

namespace {

struct Sizes {
  int64_t sequences, codes;  // of a sequence
  int64_t skipped;           // frames that have no targets
  int64_t delay;             // places that a codebook's codes lie behind the one's before
  int codebooks, conditions;
};

}  // namespace

/// A thread to a code of the targets, and to the one before it, of the inputs.
__global__ static void codes_kernel(int32_t* inputs, int32_t* targets, const int32_t* tokens,
                                    const int32_t* begins, Sizes s, int32_t start_code) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= s.sequences * s.codes) return;
  const int64_t codebook = at % s.codebooks;
  const int64_t frame = at % s.codes / s.codebooks + s.skipped - codebook * s.delay;
  const int32_t* codes = tokens + int64_t{begins[at / s.codes]} * s.codebooks + codebook;
  targets[at] = frame >= 0 ? codes[frame * s.codebooks] : kNoTarget;
  inputs[at] = frame >= 1 ? codes[(frame - 1) * s.codebooks] : start_code;
}

__global__ static void cond_kernel(float* batch_cond, const float* cond, const int32_t* files,
                                   Sizes s) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= s.sequences * s.conditions) return;
  batch_cond[at] = cond[int64_t{files[at / s.conditions]} * s.conditions + at % s.conditions];
}

void gather_sequences(const Context& ctx, IndexTensor inputs, IndexTensor targets,
                      Tensor batch_cond, ConstIndexTensor tokens, ConstTensor cond,
                      ConstIndexTensor begins, ConstIndexTensor files, int64_t frames,
                      int32_t start_code, int64_t delay) {
  constexpr int kThreads = 256;
  const int64_t length = inputs.dim(1), n = inputs.dim(2);
  const Sizes sizes{inputs.dim(0), length * n,          frames - length,
                    delay,         static_cast<int>(n), static_cast<int>(cond.cols())};
  launch(codes_kernel, divide_up(inputs.size(), kThreads), kThreads, 0, stream_of(ctx), inputs.data,
         targets.data, tokens.data, begins.data, sizes, start_code);
  launch(cond_kernel, divide_up(batch_cond.size(), kThreads), kThreads, 0, stream_of(ctx),
         batch_cond.data, cond.data, files.data, sizes);
}

}  // namespace dsf::cuda
