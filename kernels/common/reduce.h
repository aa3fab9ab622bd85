#pragma once
// Sums and maxima over a warp or a block, in an order that is always the same. Every thread gets
// the result; all of the warp or block must call.
#include "kernels/common/cuda.h"

namespace dsf::cuda {

template <class T, class Combine>
__device__ inline T warp_reduce(T value, const Combine& combine) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, distance));
  }
  return value;
}

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

template <class T>
__device__ inline T warp_sum(T value) {
  return warp_reduce(value, Add{});
}
__device__ inline float warp_max(float value) {
  return warp_reduce(value, Larger{});
}

/// Over a block of one dimension and whole warps; `neutral` changes nothing when combined.
template <class T, class Combine>
__device__ inline T block_reduce(T value, T neutral, const Combine& combine) {
  DSF_SHARED(T, of_warps, kWarpSize);
  const unsigned warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  value = warp_reduce(value, combine);
  __syncthreads();  // an earlier call's values have been read
  if (lane == 0) of_warps[warp] = value;
  __syncthreads();
  return warp_reduce(lane < blockDim.x / kWarpSize ? of_warps[lane] : neutral, combine);
}

template <class T>
__device__ inline T block_sum(T value) {
  return block_reduce(value, T{}, Add{});
}
__device__ inline float block_max(float value) {
  return block_reduce(value, -INFINITY, Larger{});
}

}  // namespace dsf::cuda
