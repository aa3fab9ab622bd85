#include "kernels/common/launch.h"
#include "kernels/common/vector.h"
#include "kernels/relu/relu.h"

namespace dsf::cuda {

static constexpr int kThreads = 256;

/// The first of the `width` elements that are this thread's.
template <int width>
__device__ static int64_t first_element() {
  return (int64_t{blockIdx.x} * kThreads + threadIdx.x) * width;
}

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
  launch(vectors ? forward_kernel<4> : forward_kernel<1>,
         divide_up(x.size(), kThreads * (vectors ? 4 : 1)), kThreads, 0, stream_of(ctx), y.data,
         x.data, x.size());
}

template <int width>
__global__ static void backward_kernel(float* dx, const float* dy, const float* y, int64_t size,
                                       bool accumulate) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> gradient = load<width>(dy + at);
  const Vector<width> output = load<width>(y + at);
  for (int i = 0; i < width; ++i) gradient[i] = output[i] > 0.0F ? gradient[i] : 0.0F;
  if (accumulate) {
    const Vector<width> old = load<width>(dx + at);
    for (int i = 0; i < width; ++i) gradient[i] += old[i];
  }
  store(dx + at, gradient);
}

void relu_backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor y) {
  const bool vectors = fits_vectors(dy.size(), {dx.tensor.data, dy.data, y.data});
  launch(vectors ? backward_kernel<4> : backward_kernel<1>,
         divide_up(dy.size(), kThreads * (vectors ? 4 : 1)), kThreads, 0, stream_of(ctx),
         dx.tensor.data, dy.data, y.data, dy.size(), dx.mode == GradientMode::accumulate);
}

}  // namespace dsf::cuda
