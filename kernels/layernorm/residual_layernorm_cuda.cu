#include "kernels/common/dropout_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/layernorm/layernorm_row_cuda.h"
#include "kernels/layernorm/residual_layernorm.h"
#include "kernels/residual/residual.h"

namespace dsf::cuda {

/// The block's rows of `sum` lie in shared memory while they are normalised, each lane's share
/// touched by that lane alone. `sum` may be branch or skip: it is written when they have been read.
template <int width>
__global__ static void forward_kernel(float* y, float* sum, float* mean, float* rstd,
                                      const float* branch, const float* skip,
                                      DropoutFactors dropout, const float* weight,
                                      const float* bias, int64_t rows, int cols) {
  const int64_t row = norm_row();
  if (row >= rows) return;  // all lanes of the warp
  const int64_t at = row * cols;
  float* const kept = dynamic_shared<float>() + static_cast<int>(threadIdx.x) / kWarpSize * cols;
  for_columns<width>(cols, [&](int i) {
    Vector<width> values = load<width>(branch + at + i);
    drop(values, at + i, dropout);
    const Vector<width> others = load<width>(skip + at + i);
    for (int k = 0; k < width; ++k) values[k] += others[k];
    store(kept + i, values);
  });
  for_columns<width>(cols, [&](int i) { store(sum + at + i, load<width>(kept + i)); });
  normalise_row<width>(y + at, mean[row], rstd[row], kept, weight, bias, cols);
}

void residual_layernorm_forward(const Context& ctx, Tensor y, Tensor sum, Tensor mean, Tensor rstd,
                                ConstTensor branch, ConstTensor skip, const DropoutStream& dropout,
                                ConstTensor weight, ConstTensor bias) {
  constexpr size_t kMostShared = 48 << 10;  // what every device has; 3072 columns
  const size_t shared = kNormRows * static_cast<size_t>(sum.cols()) * sizeof(float);
  if (shared > kMostShared) {
    cuda::residual_forward(ctx, sum, branch, skip, dropout);
    cuda::layernorm_forward(ctx, y, mean, rstd, sum, weight, bias);
    return;
  }
  const bool vectors =
      fits_vectors(sum.cols(), {y.data, sum.data, branch.data, skip.data, weight.data, bias.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, norm_blocks(sum.rows()), kNormThreads,
         shared, stream_of(ctx), y.data, sum.data, mean.data, rstd.data, branch.data, skip.data,
         DropoutFactors(dropout), weight.data, bias.data, sum.rows(), static_cast<int>(sum.cols()));
}

/// dsum may be dy: a lane reads what it writes before it writes it.
template <int width>
__global__ static void backward_kernel(Gradient dsum, Gradient dbranch, const float* dy,
                                       const float* sum, const float* mean, const float* rstd,
                                       const float* weight, DropoutFactors dropout, int64_t rows,
                                       int cols) {
  const int64_t row = norm_row();
  if (row >= rows) return;
  const int64_t at = row * cols;
  norm_gradient_row<width>(dy + at, sum + at, mean[row], rstd[row], weight, cols,
                           [&](int i, Vector<width> values) {
                             if (dsum.mode == GradientMode::accumulate) {
                               const Vector<width> past = load<width>(dsum.tensor.data + at + i);
                               for (int k = 0; k < width; ++k) values[k] += past[k];
                             }
                             store(dsum.tensor.data + at + i, values);
                             if (!dbranch.tensor.data) return;
                             drop(values, at + i, dropout);
                             put(dbranch, at + i, values);
                           });
}

void residual_layernorm_backward(const Context& ctx, Gradient dsum, Gradient dbranch,
                                 Gradient dweight, Gradient dbias, ConstTensor dy, ConstTensor sum,
                                 ConstTensor mean, ConstTensor rstd, ConstTensor weight,
                                 const DropoutStream& dropout) {
  // Those of the parameters before dsum, which may overwrite dy.
  cuda::layernorm_backward(ctx, Gradient{}, dweight, dbias, dy, sum, mean, rstd, weight);
  const bool vectors = fits_vectors(
      sum.cols(), {dsum.tensor.data, dbranch.tensor.data, dy.data, sum.data, weight.data});
  launch(vectors ? backward_kernel<4> : backward_kernel<1>, norm_blocks(sum.rows()), kNormThreads,
         0, stream_of(ctx), dsum, dbranch, dy.data, sum.data, mean.data, rstd.data, weight.data,
         DropoutFactors(dropout), sum.rows(), static_cast<int>(sum.cols()));
}

}  // namespace dsf::cuda
