#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "kernels/gradient_norm/gradient_norm.h"

namespace dsf::cuda {

static constexpr int kThreads = 1024;

/// The norm of g[begin … end−1]; every thread of the block gets it. The root keeps it in float's
/// range and precision.
template <int width>
__device__ static float norm_of(const float* g, int64_t begin, int64_t end) {
  double sum = 0;
  for (int64_t i = begin + threadIdx.x * width; i < end; i += kThreads * width) {
    const Vector<width> values = load<width>(g + i);
    for (int k = 0; k < width; ++k) {
      sum += static_cast<double>(values[k]) * static_cast<double>(values[k]);
    }
  }
  return static_cast<float>(sqrt(block_sum(sum)));
}

/// Block b gives the norm of the b-th kNormBlock of the `size` floats.
template <int width>
__global__ static void __launch_bounds__(kThreads)
    block_kernel(float* norms, const float* g, int64_t size) {
  const int64_t begin = blockIdx.x * kNormBlock, rest = size - begin;
  const float norm = norm_of<width>(g, begin, begin + (rest < kNormBlock ? rest : kNormBlock));
  if (threadIdx.x == 0) norms[blockIdx.x] = norm;
}

/// The norm of a vector of norms is that of all that they are norms of.
__global__ static void __launch_bounds__(kThreads)
    whole_kernel(float* norm, const float* norms, int64_t count) {
  const float whole = norm_of<1>(norms, 0, count);
  if (threadIdx.x == 0) *norm = whole;
}

void gradient_norm(const Context& ctx, Tensor norm, ConstTensor g, Tensor block_sums) {
  const int64_t blocks = divide_up(g.size(), kNormBlock);
  launch(fits_vectors(g.size(), {g.data}) ? block_kernel<4> : block_kernel<1>, blocks, kThreads, 0,
         stream_of(ctx), block_sums.data, g.data, g.size());
  launch(whole_kernel, 1, kThreads, 0, stream_of(ctx), norm.data, block_sums.data, blocks);
}

}  // namespace dsf::cuda
