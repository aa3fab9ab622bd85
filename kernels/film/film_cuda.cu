#include "kernels/common/column_sums_cuda.h"
#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/film/film.h"

namespace dsf::cuda {

template <int width>
__global__ static void forward_kernel(float* y, const float* x, const float* gamma,
                                      const float* beta, int64_t repeat, int cols, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  const int64_t factor = element_of_shared_row(at, repeat, cols);
  Vector<width> values = load<width>(x + at);
  const Vector<width> g = load<width>(gamma + factor), b = load<width>(beta + factor);
  for (int i = 0; i < width; ++i) values[i] = g[i] * values[i] + b[i];
  store(y + at, values);
}

void film_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor gamma,
                  ConstTensor beta) {
  const bool vectors = fits_vectors(x.cols(), {y.data, x.data, gamma.data, beta.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, element_blocks(x.size(), vectors),
         kElementThreads, 0, stream_of(ctx), y.data, x.data, gamma.data, beta.data,
         x.rows() / gamma.rows(), static_cast<int>(x.cols()), x.size());
}

/// dx may be dy: a thread reads what it writes before it writes it.
template <int width>
__global__ static void input_gradient_kernel(Gradient dx, const float* dy, const float* gamma,
                                             int64_t repeat, int cols, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> gradient = load<width>(dy + at);
  const Vector<width> g = load<width>(gamma + element_of_shared_row(at, repeat, cols));
  for (int i = 0; i < width; ++i) gradient[i] *= g[i];
  put(dx, at, gradient);
}

__global__ static void factor_gradient_kernel(Gradient dgamma, Gradient dbeta, const float* dy,
                                              const float* x, ColumnSums columns) {
  float sums[2] = {};
  const bool has_sums = columns.add_up(sums, [&](int64_t, int64_t at) {
    sums[0] += dy[at] * x[at];
    sums[1] += dy[at];
  });
  if (!has_sums) return;
  if (dgamma.tensor.data) put(dgamma, columns.place(), sums[0]);
  if (dbeta.tensor.data) put(dbeta, columns.place(), sums[1]);
}

void film_backward(const Context& ctx, Gradient dx, Gradient dgamma, Gradient dbeta, ConstTensor dy,
                   ConstTensor x, ConstTensor gamma) {
  if (dgamma || dbeta) {  // before dx, which may overwrite dy
    const ColumnSums columns(x.rows(), x.cols(), gamma.rows());
    launch(factor_gradient_kernel, columns.blocks(), ColumnSums::threads(), 0, stream_of(ctx),
           dgamma, dbeta, dy.data, x.data, columns);
  }
  if (!dx) return;
  const bool vectors = fits_vectors(x.cols(), {dx.tensor.data, dy.data, gamma.data});
  launch(vectors ? input_gradient_kernel<4> : input_gradient_kernel<1>,
         element_blocks(dy.size(), vectors), kElementThreads, 0, stream_of(ctx), dx, dy.data,
         gamma.data, dy.rows() / gamma.rows(), static_cast<int>(dy.cols()), dy.size());
}

}  // namespace dsf::cuda
