#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/relu/relu.h"

namespace dsf::cuda {

template <int width>
__global__ static void forward_kernel(float* y, const float* x, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> values = load<width>(x + at);
  for (int i = 0; i < width; ++i) values[i] = values[i] > 0.0F ? values[i] : 0.0F;
  store(y + at, values);
}

void relu_forward(const Context& ctx, Tensor y, ConstTensor x) {
  const bool vectors = fits_vectors(x.size(), {y.data, x.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, element_blocks(x.size(), vectors),
         kElementThreads, 0, stream_of(ctx), y.data, x.data, x.size());
}

template <int width>
__global__ static void backward_kernel(Gradient dx, const float* dy, const float* y, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> gradient = load<width>(dy + at);
  const Vector<width> output = load<width>(y + at);
  for (int i = 0; i < width; ++i) gradient[i] = output[i] > 0.0F ? gradient[i] : 0.0F;
  put(dx, at, gradient);
}

void relu_backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor y) {
  const bool vectors = fits_vectors(dy.size(), {dx.tensor.data, dy.data, y.data});
  launch(vectors ? backward_kernel<4> : backward_kernel<1>, element_blocks(dy.size(), vectors),
         kElementThreads, 0, stream_of(ctx), dx, dy.data, y.data, dy.size());
}

}  // namespace dsf::cuda
