#include <algorithm>

#include "kernels/gather_sequences/gather_sequences.h"

namespace dsf::cpu {

/// Column n of a sequence's inputs and targets: `skipped` frames of it have no targets, and its
/// codes lie `delay` places later.
static void gather_column(int32_t* inputs, int32_t* targets, const int32_t* tokens, int64_t length,
                          int64_t n, int64_t skipped, int64_t delay, int32_t start_code) {
  for (int64_t i = 0; i < length; ++i) {
    const int64_t frame = i + skipped - delay;  // of the target
    targets[i * n] = frame >= 0 ? tokens[frame * n] : kNoTarget;
    inputs[i * n] = frame >= 1 ? tokens[(frame - 1) * n] : start_code;
  }
}

void gather_sequences(const Context&, IndexTensor inputs, IndexTensor targets, Tensor batch_cond,
                      ConstIndexTensor tokens, ConstTensor cond, ConstIndexTensor begins,
                      ConstIndexTensor files, int64_t frames, int32_t start_code, int64_t delay) {
  const int64_t length = inputs.dim(1), n = inputs.dim(2);
  for (int64_t b = 0; b < inputs.dim(0); ++b) {
    const int64_t at = b * length * n;
    for (int64_t c = 0; c < n; ++c) {
      gather_column(inputs.data + at + c, targets.data + at + c, tokens.row(begins[b]) + c, length,
                    n, frames - length, c * delay, start_code);
    }
    std::copy_n(cond.row(files[b]), cond.cols(), batch_cond.row(b));
  }
}

}  // namespace dsf::cpu
