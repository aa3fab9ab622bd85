#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/gradient_sum/gradient_sum.h"

namespace dsf::cuda {

template <int width>
__global__ static void sum_kernel(Gradient sum, const float* g, float scale, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> values = load<width>(g + at);
  for (int i = 0; i < width; ++i) values[i] *= scale;
  put(sum, at, values);
}

void gradient_sum(const Context& ctx, Gradient sum, ConstTensor g, float scale) {
  const bool vectors = fits_vectors(g.size(), {sum.tensor.data, g.data});
  launch(vectors ? sum_kernel<4> : sum_kernel<1>, element_blocks(g.size(), vectors),
         kElementThreads, 0, stream_of(ctx), sum, g.data, scale, g.size());
}

}  // namespace dsf::cuda
