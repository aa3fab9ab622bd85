#include "kernels/common/column_sums_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "kernels/layernorm/layernorm.h"

namespace dsf::cuda {

// A warp to a row.
static constexpr int kRowsPerBlock = 4, kRowThreads = kRowsPerBlock * kWarpSize;

/// This warp's row; it may lie behind the last.
__device__ static int64_t warp_row() {
  return int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarpSize;
}

/// Calls body(first of `width` columns) for this lane's share of a row.
template <int width, class Body>
__device__ static void for_columns(int cols, const Body& body) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int i = lane * width; i < cols; i += kWarpSize * width) body(i);
}

template <int width>
__global__ static void forward_kernel(float* y, float* mean, float* rstd, const float* x,
                                      const float* weight, const float* bias, int64_t rows,
                                      int cols) {
  const int64_t row = warp_row();
  if (row >= rows) return;  // all lanes of the warp
  const float* in = x + row * cols;
  float* out = y + row * cols;
  const float scale = 1.0F / static_cast<float>(cols);

  float sum = 0;
  for_columns<width>(cols, [&](int i) {
    const Vector<width> values = load<width>(in + i);
    for (int k = 0; k < width; ++k) sum += values[k];
  });
  const float m = warp_sum(sum) * scale;

  float squares = 0;
  for_columns<width>(cols, [&](int i) {
    const Vector<width> values = load<width>(in + i);
    for (int k = 0; k < width; ++k) squares += (values[k] - m) * (values[k] - m);
  });
  const float s = 1.0F / sqrtf(warp_sum(squares) * scale + static_cast<float>(kLayerNormEpsilon));

  for_columns<width>(cols, [&](int i) {
    Vector<width> values = load<width>(in + i);
    for (int k = 0; k < width; ++k) values[k] = (values[k] - m) * s;
    if (weight) {
      const Vector<width> w = load<width>(weight + i), b = load<width>(bias + i);
      for (int k = 0; k < width; ++k) values[k] = values[k] * w[k] + b[k];
    }
    store(out + i, values);
  });
  if (threadIdx.x % kWarpSize == 0) {
    mean[row] = m;
    rstd[row] = s;
  }
}

void layernorm_forward(const Context& ctx, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
                       ConstTensor weight, ConstTensor bias) {
  const bool vectors = fits_vectors(x.cols(), {y.data, x.data, weight.data, bias.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, divide_up(x.rows(), kRowsPerBlock),
         kRowThreads, 0, stream_of(ctx), y.data, mean.data, rstd.data, x.data, weight.data,
         bias.data, x.rows(), static_cast<int>(x.cols()));
}

/// dx may be dy: a lane reads what it writes before it writes it.
template <int width>
__global__ static void input_gradient_kernel(Gradient dx, const float* dy, const float* x,
                                             const float* mean, const float* rstd,
                                             const float* weight, int64_t rows, int cols) {
  const int64_t row = warp_row();
  if (row >= rows) return;
  const int64_t at = row * cols;
  const float m = mean[row], s = rstd[row];
  /// g = dy·weight and n = (x − mean)·rstd of columns i … i+width−1.
  const auto read = [&](int i, Vector<width>& g, Vector<width>& n) {
    g = load<width>(dy + at + i);
    n = load<width>(x + at + i);
    for (int k = 0; k < width; ++k) n[k] = (n[k] - m) * s;
    if (!weight) return;
    const Vector<width> w = load<width>(weight + i);
    for (int k = 0; k < width; ++k) g[k] *= w[k];
  };

  Vector<width> g, n;
  float sum = 0, projection = 0;
  for_columns<width>(cols, [&](int i) {
    read(i, g, n);
    for (int k = 0; k < width; ++k) {
      sum += g[k];
      projection += g[k] * n[k];
    }
  });
  const float scale = 1.0F / static_cast<float>(cols);
  const float a = warp_sum(sum) * scale, b = warp_sum(projection) * scale;

  for_columns<width>(cols, [&](int i) {
    read(i, g, n);
    for (int k = 0; k < width; ++k) g[k] = s * (g[k] - a - n[k] * b);
    put(dx, at + i, g);
  });
}

__global__ static void parameter_gradient_kernel(Gradient dweight, Gradient dbias, const float* dy,
                                                 const float* x, const float* mean,
                                                 const float* rstd, ColumnSums columns) {
  float sums[2] = {};
  const bool has_sums = columns.add_up(sums, [&](int64_t row, int64_t at) {
    sums[0] += dy[at] * ((x[at] - mean[row]) * rstd[row]);
    sums[1] += dy[at];
  });
  if (!has_sums) return;
  if (dweight.tensor.data) put(dweight, columns.place(), sums[0]);
  if (dbias.tensor.data) put(dbias, columns.place(), sums[1]);
}

void layernorm_backward(const Context& ctx, Gradient dx, Gradient dweight, Gradient dbias,
                        ConstTensor dy, ConstTensor x, ConstTensor mean, ConstTensor rstd,
                        ConstTensor weight) {
  const int64_t rows = x.rows();
  const int cols = static_cast<int>(x.cols());
  if (dweight || dbias) {  // before dx, which may overwrite dy
    const ColumnSums columns(rows, cols, 1);
    launch(parameter_gradient_kernel, columns.blocks(), ColumnSums::threads(), 0, stream_of(ctx),
           dweight, dbias, dy.data, x.data, mean.data, rstd.data, columns);
  }
  if (!dx) return;
  const bool vectors = fits_vectors(cols, {dx.tensor.data, dy.data, x.data, weight.data});
  launch(vectors ? input_gradient_kernel<4> : input_gradient_kernel<1>,
         divide_up(rows, kRowsPerBlock), kRowThreads, 0, stream_of(ctx), dx, dy.data, x.data,
         mean.data, rstd.data, weight.data, rows, cols);
}

}  // namespace dsf::cuda
