#include "kernels/common/dropout_cuda.h"
#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/residual/residual.h"

namespace dsf::cuda {

/// y may be branch or skip: a thread reads what it writes before it writes it.
template <int width>
__global__ static void forward_kernel(float* y, const float* branch, const float* skip,
                                      int64_t size, DropoutFactors dropout) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> values = load<width>(branch + at);
  drop(values, at, dropout);
  if (skip) {
    const Vector<width> others = load<width>(skip + at);
    for (int i = 0; i < width; ++i) values[i] += others[i];
  }
  store(y + at, values);
}

void residual_forward(const Context& ctx, Tensor y, ConstTensor branch, ConstTensor skip,
                      const DropoutStream& dropout) {
  const bool vectors = fits_vectors(y.size(), {y.data, branch.data, skip.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, element_blocks(y.size(), vectors),
         kElementThreads, 0, stream_of(ctx), y.data, branch.data, skip.data, y.size(),
         DropoutFactors(dropout));
}

/// One of the gradients may be dy, as y in forward.
template <int width>
__global__ static void backward_kernel(Gradient dbranch, Gradient dskip, const float* dy,
                                       int64_t size, DropoutFactors dropout) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  Vector<width> gradient = load<width>(dy + at);
  if (dskip.tensor.data) put(dskip, at, gradient);
  if (!dbranch.tensor.data) return;
  drop(gradient, at, dropout);
  put(dbranch, at, gradient);
}

void residual_backward(const Context& ctx, Gradient dbranch, Gradient dskip, ConstTensor dy,
                       const DropoutStream& dropout) {
  if (dskip.tensor.data == dy.data) dskip = {};  // it is there
  if (!dbranch && !dskip) return;
  const bool vectors = fits_vectors(dy.size(), {dbranch.tensor.data, dskip.tensor.data, dy.data});
  launch(vectors ? backward_kernel<4> : backward_kernel<1>, element_blocks(dy.size(), vectors),
         kElementThreads, 0, stream_of(ctx), dbranch, dskip, dy.data, dy.size(),
         DropoutFactors(dropout));
}

}  // namespace dsf::cuda
