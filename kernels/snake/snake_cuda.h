#pragma once
// Snake of one number, for kernels that end in it.
#include "kernels/common/cuda.h"
#include "kernels/common/vector_math.h"

namespace dsf::cuda {

/// What a channel's α becomes for `snake`.
__device__ inline float snake_reciprocal(float alpha) {
  return 1.0F / (alpha + 1e-9F);
}

__device__ inline float snake(float x, float alpha, float reciprocal) {
  return x + fminf(fast_sin_squared(alpha * x), 1.0F) * reciprocal;
}

}  // namespace dsf::cuda
