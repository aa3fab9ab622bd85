#pragma once
// Counters in kernels, which take them by value.
#include "kernels/common/counter.h"
#include "kernels/common/cuda.h"

namespace dsf::cuda {

__device__ inline int64_t value_of(const Counter& counter) {
  return counter.value + (counter.device ? *counter.device : 0);
}

}  // namespace dsf::cuda
