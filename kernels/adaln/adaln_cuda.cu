#include "kernels/adaln/adaln.h"
#include "kernels/common/column_sums_cuda.h"
#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/film/film.h"

namespace dsf::cuda {

/// Every row computes the scales of its condition, and the first of them stores them: cheaper than
/// a launch that does so before. y may be x.
template <int width>
__global__ static void forward_kernel(float* y, float* scale, const float* x, AdalnRows rows,
                                      int64_t repeat, int cols, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  const int64_t of_row = element_of_shared_row(at, repeat, cols);
  Vector<width> factors = load<width>(rows.gamma.data + of_row);
  const Vector<width> log_sigma = load<width>(rows.log_sigma.data + of_row);
  for (int i = 0; i < width; ++i) factors[i] /= expf(log_sigma[i]) + kAdalnEpsilon;
  if (at / cols % repeat == 0) store(scale + of_row, factors);

  Vector<width> values = load<width>(x + at);
  const Vector<width> mu = load<width>(rows.mu.data + of_row);
  const Vector<width> beta = load<width>(rows.beta.data + of_row);
  for (int i = 0; i < width; ++i) values[i] = factors[i] * (values[i] - mu[i]) + beta[i];
  store(y + at, values);
}

void adaln_forward(const Context& ctx, Tensor y, Tensor scale, ConstTensor x,
                   const AdalnRows& rows) {
  const bool vectors =
      fits_vectors(x.cols(), {y.data, scale.data, x.data, rows.mu.data, rows.log_sigma.data,
                              rows.gamma.data, rows.beta.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, element_blocks(x.size(), vectors),
         kElementThreads, 0, stream_of(ctx), y.data, scale.data, x.data, rows,
         x.rows() / scale.rows(), static_cast<int>(x.cols()), x.size());
}

__global__ static void row_gradient_kernel(AdalnGradients drows, const float* dy, const float* x,
                                           const float* scale, const float* mu,
                                           const float* log_sigma, ColumnSums columns) {
  const int64_t place = columns.place();
  float sums[2] = {};
  const bool has_sums = columns.add_up(sums, [&](int64_t, int64_t at) {
    sums[0] += dy[at] * (x[at] - mu[place]);
    sums[1] += dy[at];
  });
  if (!has_sums) return;
  const float sigma = expf(log_sigma[place]), inverse = 1.0F / (sigma + kAdalnEpsilon);
  put(drows.beta, place, sums[1]);
  put(drows.mu, place, -scale[place] * sums[1]);
  put(drows.gamma, place, sums[0] * inverse);
  put(drows.log_sigma, place, -scale[place] * sums[0] * (sigma * inverse));
}

void adaln_backward(const Context& ctx, Gradient dx, const AdalnGradients& drows, ConstTensor dy,
                    ConstTensor x, ConstTensor scale, const AdalnRows& rows) {
  const ColumnSums columns(x.rows(), x.cols(), scale.rows());
  launch(row_gradient_kernel, columns.blocks(), ColumnSums::threads(), 0, stream_of(ctx), drows,
         dy.data, x.data, scale.data, rows.mu.data, rows.log_sigma.data, columns);
  if (dx) cuda::film_backward(ctx, dx, Gradient{}, Gradient{}, dy, x, scale);  // dx = dy·scale
}

}  // namespace dsf::cuda
