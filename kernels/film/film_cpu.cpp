#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/common/row_blocks.h"
#include "kernels/film/film.h"

namespace dsf::cpu {

DSF_MULTIVERSION static void forward_rows(float* y, const float* x, const float* gamma,
                                          const float* beta, int64_t repeat, int64_t cols,
                                          int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* g = gamma + r / repeat * cols;
    const float* b = beta + r / repeat * cols;
    for (int64_t i = 0; i < cols; ++i) y[r * cols + i] = g[i] * x[r * cols + i] + b[i];
  }
}

void film_forward(const Context&, Tensor y, ConstTensor x, ConstTensor gamma, ConstTensor beta) {
  const int64_t repeat = x.rows() / gamma.rows();
  parallel_for(x.rows(), row_grain(x.cols()), [&](int64_t begin, int64_t end) {
    forward_rows(y.data, x.data, gamma.data, beta.data, repeat, x.cols(), begin, end);
  });
}

DSF_MULTIVERSION static void input_gradient_rows(float* dx, float keep, const float* dy,
                                                 const float* gamma, int64_t repeat, int64_t cols,
                                                 int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* g = gamma + r / repeat * cols;
    float* out = dx + r * cols;
    for (int64_t i = 0; i < cols; ++i) {
      const float gradient = dy[r * cols + i] * g[i];
      out[i] = keep != 0.0F ? out[i] + gradient : gradient;
    }
  }
}

/// Adds Σ dy·x (to dgamma) and Σ dy (to dbeta) over `repeat` rows of stride `cols`, for `count`
/// columns.
DSF_MULTIVERSION static void factor_gradients(float* __restrict dgamma, float* __restrict dbeta,
                                              const float* dy, const float* x, int64_t repeat,
                                              int64_t cols, int64_t count) {
  for (int64_t r = 0; r < repeat; ++r) {
    for (int64_t i = 0; i < count; ++i) {
      dgamma[i] += dy[r * cols + i] * x[r * cols + i];
      dbeta[i] += dy[r * cols + i];
    }
  }
}

void film_backward(const Context&, Gradient dx, Gradient dgamma, Gradient dbeta, ConstTensor dy,
                   ConstTensor x, ConstTensor gamma) {
  const int64_t cols = x.cols(), repeat = x.rows() / gamma.rows();
  const auto sum_block = [&](int64_t row, int64_t first, int64_t count) {
    float sums[2][kColumnBlock] = {};
    const int64_t at = row * repeat * cols + first;
    factor_gradients(sums[0], sums[1], dy.data + at, x.data + at, repeat, cols, count);
    const Gradient* gradients[2] = {&dgamma, &dbeta};
    for (int which = 0; which < 2; ++which) {
      if (!*gradients[which]) continue;
      float* out = gradients[which]->tensor.data + row * cols + first;
      const bool add = gradients[which]->mode == GradientMode::accumulate;
      for (int64_t i = 0; i < count; ++i) out[i] = sums[which][i] + (add ? out[i] : 0.0F);
    }
  };
  if (dgamma || dbeta) for_row_blocks(gamma.rows(), cols, repeat, sum_block);
  if (!dx) return;
  parallel_for(x.rows(), row_grain(cols), [&](int64_t begin, int64_t end) {
    input_gradient_rows(dx.tensor.data, dx.keep(), dy.data, gamma.data, repeat, cols, begin, end);
  });
}

}  // namespace dsf::cpu
