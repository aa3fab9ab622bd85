#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/embedding/embedding.h"

namespace dsf::cpu {

static void check_tokens(ConstIndexTensor tokens, int64_t vocabulary) {
  const int64_t codebooks = tokens.dim(1);
  for (int64_t i = 0; i < tokens.size(); ++i) {
    DSF_CHECK(tokens[i] >= 0 && tokens[i] < vocabulary,
              "token {} at position {}, codebook {}; {} entries", tokens[i], i / codebooks,
              i % codebooks, vocabulary);
  }
}

void embedding_forward(const Context&, Tensor y, ConstIndexTensor tokens, ConstTensor tables) {
  const int64_t codebooks = tables.dim(0), vocabulary = tables.dim(1), part = tables.dim(2);
  check_tokens(tokens, vocabulary);
  parallel_for(tokens.dim(0), 4096 / (codebooks * part) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * codebooks; i < end * codebooks; ++i) {
      const int64_t row = i % codebooks * vocabulary + tokens[i];
      std::copy_n(tables.data + row * part, part, y.data + i * part);
    }
  });
}

void embedding_backward(const Context&, Gradient dtables, ConstTensor dy, ConstIndexTensor tokens) {
  const Tensor tables = dtables.tensor;
  const int64_t codebooks = tables.dim(0), vocabulary = tables.dim(1), part = tables.dim(2);
  check_tokens(tokens, vocabulary);
  // A codebook's table belongs to one thread, which adds position after position.
  parallel_for(codebooks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      float* table = tables.data + n * vocabulary * part;
      if (dtables.mode == GradientMode::overwrite) std::fill_n(table, vocabulary * part, 0.0F);
      for (int64_t m = 0; m < tokens.dim(0); ++m) {
        float* entry = table + tokens[m * codebooks + n] * part;
        const float* gradient = dy.data + (m * codebooks + n) * part;
        for (int64_t e = 0; e < part; ++e) entry[e] += gradient[e];
      }
    }
  });
}

}  // namespace dsf::cpu
