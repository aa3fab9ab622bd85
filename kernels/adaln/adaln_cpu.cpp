#include "kernels/adaln/adaln.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/common/row_blocks.h"
#include "kernels/common/vector_math.h"
#include "kernels/film/film.h"

namespace dsf::cpu {

DSF_MULTIVERSION static void scale_elements(float* scale, const float* gamma,
                                            const float* log_sigma, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    scale[i] = gamma[i] / (fast_exp(log_sigma[i]) + kAdalnEpsilon);
  }
}

DSF_MULTIVERSION static void forward_rows(float* y, const float* x, const float* scale,
                                          const float* mu, const float* beta, int64_t repeat,
                                          int64_t cols, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t at = r / repeat * cols;
    for (int64_t i = 0; i < cols; ++i) {
      y[r * cols + i] = scale[at + i] * (x[r * cols + i] - mu[at + i]) + beta[at + i];
    }
  }
}

void adaln_forward(const Context&, Tensor y, Tensor scale, ConstTensor x, const AdalnRows& rows) {
  parallel_for(scale.size(), 4096, [&](int64_t begin, int64_t end) {
    scale_elements(scale.data, rows.gamma.data, rows.log_sigma.data, begin, end);
  });
  const int64_t repeat = x.rows() / scale.rows();
  parallel_for(x.rows(), row_grain(x.cols()), [&](int64_t begin, int64_t end) {
    forward_rows(y.data, x.data, scale.data, rows.mu.data, rows.beta.data, repeat, x.cols(), begin,
                 end);
  });
}

/// Adds Σ dy·(x − mu) and Σ dy over `repeat` rows of stride `cols`, for `count` columns.
DSF_MULTIVERSION static void sum_rows(float* __restrict products, float* __restrict sums,
                                      const float* dy, const float* x, const float* mu,
                                      int64_t repeat, int64_t cols, int64_t count) {
  for (int64_t r = 0; r < repeat; ++r) {
    for (int64_t i = 0; i < count; ++i) {
      products[i] += dy[r * cols + i] * (x[r * cols + i] - mu[i]);
      sums[i] += dy[r * cols + i];
    }
  }
}

static void put(const Gradient& gradient, int64_t at, float value) {
  float& out = gradient.tensor.data[at];
  out = gradient.mode == GradientMode::accumulate ? out + value : value;
}

void adaln_backward(const Context& ctx, Gradient dx, const AdalnGradients& drows, ConstTensor dy,
                    ConstTensor x, ConstTensor scale, const AdalnRows& rows) {
  const int64_t cols = x.cols(), repeat = x.rows() / scale.rows();
  for_row_blocks(scale.rows(), cols, repeat, [&](int64_t row, int64_t first, int64_t count) {
    float products[kColumnBlock] = {}, sums[kColumnBlock] = {};
    const int64_t in = row * repeat * cols + first, out = row * cols + first;
    sum_rows(products, sums, dy.data + in, x.data + in, rows.mu.data + out, repeat, cols, count);
    for (int64_t i = 0; i < count; ++i) {
      const float sigma = fast_exp(rows.log_sigma[out + i]);
      const float inverse = 1.0F / (sigma + kAdalnEpsilon);
      put(drows.beta, out + i, sums[i]);
      put(drows.mu, out + i, -scale[out + i] * sums[i]);
      put(drows.gamma, out + i, products[i] * inverse);
      put(drows.log_sigma, out + i, -scale[out + i] * products[i] * (sigma * inverse));
    }
  });
  if (dx) cpu::film_backward(ctx, dx, Gradient{}, Gradient{}, dy, x, scale);  // dx = dy·scale
}

}  // namespace dsf::cpu
