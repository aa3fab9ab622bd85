#include <algorithm>
#include <array>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/common/vector_math.h"
#include "kernels/snake/snake.h"

namespace dsf::cpu {

static constexpr int64_t kTile = 512;  // channels whose reciprocals of α are at hand

DSF_MULTIVERSION static void activate(float* y, const float* x, const float* alpha, int64_t rows,
                                      int64_t cols, int64_t stride) {
  std::array<float, kTile> reciprocal;
  for (int64_t begin = 0; begin < cols; begin += kTile) {
    const int64_t count = std::min(kTile, cols - begin);
    const float* a = alpha + begin;
    for (int64_t c = 0; c < count; ++c) {
      reciprocal[static_cast<size_t>(c)] = 1.0F / (a[c] + 1e-9F);
    }
    const float* inverse = reciprocal.data();
    for (int64_t r = 0; r < rows; ++r) {
      const float* in = x + r * stride + begin;
      float* out = y + r * stride + begin;
#pragma omp simd
      for (int64_t c = 0; c < count; ++c) {
        const float squared = fast_sin_squared(a[c] * in[c]);
        out[c] = in[c] + (squared < 1.0F ? squared : 1.0F) * inverse[c];
      }
    }
  }
}

void snake_rows(float* y, const float* x, const float* alpha, int64_t rows, int64_t cols,
                int64_t stride) {
  activate(y, x, alpha, rows, cols, stride);
}

void snake_forward(const Context&, Tensor y, ConstTensor x, ConstTensor alpha) {
  const int64_t cols = x.cols();
  parallel_for(x.rows(), std::max<int64_t>(1, 4096 / std::max<int64_t>(cols, 1)),
               [&](int64_t begin, int64_t end) {
                 activate(y.data + begin * cols, x.data + begin * cols, alpha.data, end - begin,
                          cols, cols);
               });
}

}  // namespace dsf::cpu
