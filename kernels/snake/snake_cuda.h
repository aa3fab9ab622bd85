#pragma once
// Snake of one number, for kernels that end in it.
#include "kernels/common/cuda.h"

namespace dsf::cuda {

__device__ inline float snake(float x, float alpha) {
  const float sine = sinf(alpha * x);
  return x + sine * sine / (alpha + 1e-9F);
}

}  // namespace dsf::cuda
