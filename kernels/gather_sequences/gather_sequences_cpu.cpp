#include <algorithm>

#include "kernels/gather_sequences/gather_sequences.h"

namespace dsf::cpu {

void gather_sequences(const Context&, IndexTensor inputs, IndexTensor targets, Tensor batch_cond,
                      ConstIndexTensor tokens, ConstTensor cond, ConstIndexTensor begins,
                      ConstIndexTensor files, int64_t frames, int32_t start_code) {
  const int64_t length = inputs.dim(1), n = inputs.dim(2);
  for (int64_t b = 0; b < inputs.dim(0); ++b) {
    const int32_t* source = tokens.row(begins[b]);
    int32_t* input = inputs.data + b * length * n;
    if (length == frames) input = std::fill_n(input, n, start_code);
    std::copy_n(source, (frames - 1) * n, input);
    std::copy_n(source + (frames - length) * n, length * n, targets.data + b * length * n);
    std::copy_n(cond.row(files[b]), cond.cols(), batch_cond.row(b));
  }
}

}  // namespace dsf::cpu
