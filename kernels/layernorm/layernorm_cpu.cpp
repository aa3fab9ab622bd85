#include <algorithm>
#include <cmath>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/layernorm/layernorm.h"

namespace dsf::cpu {

// Ranges of rows worth some microseconds.
DSF_MULTIVERSION static void forward_rows(float* y, float* mean, float* rstd, const float* x,
                                          const float* weight, const float* bias, int64_t cols,
                                          int64_t begin, int64_t end) {
  const float scale = 1.0F / static_cast<float>(cols);
  for (int64_t r = begin; r < end; ++r) {
    const float* in = x + r * cols;
    float* out = y + r * cols;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < cols; ++i) sum += in[i];
    const float m = sum * scale;
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < cols; ++i) squares += (in[i] - m) * (in[i] - m);
    const float s = 1.0F / std::sqrt(squares * scale + static_cast<float>(kLayerNormEpsilon));
    if (weight) {
      for (int64_t i = 0; i < cols; ++i) out[i] = (in[i] - m) * s * weight[i] + bias[i];
    } else {
      for (int64_t i = 0; i < cols; ++i) out[i] = (in[i] - m) * s;
    }
    mean[r] = m;
    rstd[r] = s;
  }
}

void layernorm_forward(const Context&, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
                       ConstTensor weight, ConstTensor bias) {
  parallel_for(x.rows(), row_grain(x.cols()), [&](int64_t begin, int64_t end) {
    forward_rows(y.data, mean.data, rstd.data, x.data, weight.data, bias.data, x.cols(), begin,
                 end);
  });
}

/// dx of one row; `weighted` tells whether there is a weight at all.
template <bool weighted>
static DSF_INLINE void input_gradient_row(float* dx, float keep, const float* dy, const float* x,
                                          float mean, float rstd, const float* weight,
                                          int64_t cols) {
  float sum = 0, projection = 0;
#pragma omp simd reduction(+ : sum, projection)
  for (int64_t i = 0; i < cols; ++i) {
    const float g = weighted ? dy[i] * weight[i] : dy[i];
    sum += g;
    projection += g * (x[i] - mean) * rstd;
  }
  const float scale = 1.0F / static_cast<float>(cols);
  const float a = sum * scale, b = projection * scale;
  for (int64_t i = 0; i < cols; ++i) {
    const float g = weighted ? dy[i] * weight[i] : dy[i];
    const float gradient = rstd * (g - a - (x[i] - mean) * rstd * b);
    dx[i] = keep != 0.0F ? dx[i] + gradient : gradient;
  }
}

DSF_MULTIVERSION static void input_gradient_rows(float* dx, float keep, const float* dy,
                                                 const float* x, const float* mean,
                                                 const float* rstd, const float* weight,
                                                 int64_t cols, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t at = r * cols;
    if (weight) {
      input_gradient_row<true>(dx + at, keep, dy + at, x + at, mean[r], rstd[r], weight, cols);
    } else {
      input_gradient_row<false>(dx + at, keep, dy + at, x + at, mean[r], rstd[r], nullptr, cols);
    }
  }
}

/// dweight and dbias (either may be null) of columns begin … end, row after row.
DSF_MULTIVERSION static void parameter_gradient_columns(float* dweight, float* dbias,
                                                        const float* dy, const float* x,
                                                        const float* mean, const float* rstd,
                                                        int64_t rows, int64_t cols, int64_t begin,
                                                        int64_t end) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* gradient = dy + r * cols;
    const float* in = x + r * cols;
    const float m = mean[r], s = rstd[r];
    if (dweight) {
      for (int64_t i = begin; i < end; ++i) dweight[i] += gradient[i] * ((in[i] - m) * s);
    }
    if (dbias) {
      for (int64_t i = begin; i < end; ++i) dbias[i] += gradient[i];
    }
  }
}

void layernorm_backward(const Context&, Gradient dx, Gradient dweight, Gradient dbias,
                        ConstTensor dy, ConstTensor x, ConstTensor mean, ConstTensor rstd,
                        ConstTensor weight) {
  const int64_t rows = x.rows(), cols = x.cols();
  if (dweight || dbias) {  // before dx, which may overwrite dy
    for (const Gradient& gradient : {dweight, dbias}) {
      if (gradient && gradient.mode == GradientMode::overwrite) {
        std::fill_n(gradient.tensor.data, cols, 0.0F);
      }
    }
    parallel_for(cols, 16384 / (rows + 1) + 16, [&](int64_t begin, int64_t end) {
      parameter_gradient_columns(dweight.tensor.data, dbias.tensor.data, dy.data, x.data, mean.data,
                                 rstd.data, rows, cols, begin, end);
    });
  }
  if (!dx) return;
  parallel_for(rows, row_grain(cols), [&](int64_t begin, int64_t end) {
    input_gradient_rows(dx.tensor.data, dx.keep(), dy.data, x.data, mean.data, rstd.data,
                        weight.data, cols, begin, end);
  });
}

}  // namespace dsf::cpu
