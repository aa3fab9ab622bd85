#pragma once
// Dropout's factors in kernels: those of dropout_factors (random.h), element by element.
#include "kernels/common/cuda.h"
#include "kernels/common/random.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

/// A DropoutStream as kernels take it, by value. An inactive one gives 1 and draws nothing.
struct DropoutFactors {
  bool active;
  uint32_t threshold;
  float scale;
  RandomStream stream;
  const int64_t* device_step;

  explicit DropoutFactors(const DropoutStream& dropout)
      : active(dropout.active()),
        threshold(dropout.threshold()),
        scale(dropout.scale()),
        stream(dropout.stream),
        device_step(dropout.device_step) {}

  __device__ auto block(uint64_t index) const {
    RandomStream now = stream;
    // No kernel that drops out writes it, so that a loop need not read it again.
    if (device_step) now.step += static_cast<uint32_t>(__ldg(device_step));
    return random_block(now, index);
  }
  __device__ float of_word(uint32_t word) const { return word >= threshold ? scale : 0.0F; }
  /// The factor of element `index`.
  __device__ float operator()(uint64_t index) const {
    if (!active) return 1;
    return of_word(block(index / 4)[index % 4]);
  }
  /// The factors of the `width` elements from `index`, a multiple of `width`, on: 4 for the price
  /// of 1.
  template <int width>
  __device__ void fill(uint64_t index, float (&factors)[width]) const {
    static_assert(width == 1 || width == 2 || width == 4);
    if (!active) {
      for (float& factor : factors) factor = 1;
      return;
    }
    const auto words = block(index / 4);
    for (int i = 0; i < width; ++i) {
      factors[i] = of_word(words[index % 4 + static_cast<size_t>(i)]);
    }
  }
};

/// Multiplies the elements from `at` on, a multiple of `width`, by their factors.
template <int width>
__device__ inline void drop(Vector<width>& values, int64_t at, const DropoutFactors& dropout) {
  float factors[width];
  dropout.fill(static_cast<uint64_t>(at), factors);
  for (int i = 0; i < width; ++i) values[i] *= factors[i];
}

}  // namespace dsf::cuda
