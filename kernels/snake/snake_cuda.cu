#include "kernels/common/elements_cuda.h"
#include "kernels/snake/snake.h"
#include "kernels/snake/snake_cuda.h"

namespace dsf::cuda {

/// y may be x.
template <int width>
__global__ static void forward_kernel(float* y, const float* x, const float* alpha, int cols,
                                      int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> values = load<width>(x + at);
  const Vector<width> a = load<width>(alpha + at % cols);
  for (int i = 0; i < width; ++i) values[i] = snake(values[i], a[i], snake_reciprocal(a[i]));
  store(y + at, values);
}

void snake_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor alpha) {
  const bool vectors = fits_vectors(x.cols(), {y.data, x.data, alpha.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, element_blocks(x.size(), vectors),
         kElementThreads, 0, stream_of(ctx), y.data, x.data, alpha.data, static_cast<int>(x.cols()),
         x.size());
}

}  // namespace dsf::cuda
