#pragma once
// Gradients in kernels, which take a Gradient by value.
#include "kernels/common/tensor.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

/// Element `at` and those after it become `values`, or are added to, as `gradient` says.
template <int width>
__device__ inline void put(const Gradient& gradient, int64_t at, Vector<width> values) {
  float* out = gradient.tensor.data + at;
  if (gradient.mode == GradientMode::accumulate) {
    const Vector<width> old = load<width>(out);
    for (int i = 0; i < width; ++i) values[i] += old[i];
  }
  store(out, values);
}
__device__ inline void put(const Gradient& gradient, int64_t at, float value) {
  put(gradient, at, Vector<1>{{value}});
}

}  // namespace dsf::cuda
