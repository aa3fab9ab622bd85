#include "kernels/common/column_sums_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/layernorm/layernorm_row_cuda.h"

namespace dsf::cuda {

template <int width>
__global__ static void forward_kernel(float* y, float* mean, float* rstd, const float* x,
                                      const float* weight, const float* bias, int64_t rows,
                                      int cols) {
  const int64_t row = norm_row();
  if (row >= rows) return;  // all lanes of the warp
  normalise_row<width>(y + row * cols, mean[row], rstd[row], x + row * cols, weight, bias, cols);
}

void layernorm_forward(const Context& ctx, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
                       ConstTensor weight, ConstTensor bias) {
  const bool vectors = fits_vectors(x.cols(), {y.data, x.data, weight.data, bias.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, norm_blocks(x.rows()), kNormThreads, 0,
         stream_of(ctx), y.data, mean.data, rstd.data, x.data, weight.data, bias.data, x.rows(),
         static_cast<int>(x.cols()));
}

/// dx may be dy: a lane reads what it writes before it writes it.
template <int width>
__global__ static void input_gradient_kernel(Gradient dx, const float* dy, const float* x,
                                             const float* mean, const float* rstd,
                                             const float* weight, int64_t rows, int cols) {
  const int64_t row = norm_row();
  if (row >= rows) return;
  const int64_t at = row * cols;
  norm_gradient_row<width>(dy + at, x + at, mean[row], rstd[row], weight, cols,
                           [&](int i, const Vector<width>& values) { put(dx, at + i, values); });
}

__global__ static void __launch_bounds__(ColumnSums::kThreads, 1)
    parameter_gradient_kernel(Gradient dweight, Gradient dbias, const float* dy, const float* x,
                              const float* mean, const float* rstd, ColumnSums columns) {
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
  launch(vectors ? input_gradient_kernel<4> : input_gradient_kernel<1>, norm_blocks(rows),
         kNormThreads, 0, stream_of(ctx), dx, dy.data, x.data, mean.data, rstd.data, weight.data,
         rows, cols);
}

}  // namespace dsf::cuda
