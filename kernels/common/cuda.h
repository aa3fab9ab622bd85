#pragma once
// CUDA for kernels (*_cuda.cu): the real one under nvcc, tests/simt under the host's compiler.
// What the two say differently stands here; a kernel is the same text for both.
#ifdef DSF_SIMT
#include "tests/simt/cuda_half.h"
#include "tests/simt/cuda_runtime.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_pipeline_primitives.h>
#include <cuda_runtime.h>
#endif

#include <cstddef>

/// In a kernel, an array of the block: DSF_SHARED(float, tile, 32 * 33); `count` is a constant.
/// Fits vectors.
#ifdef DSF_SIMT
#define DSF_SHARED(type, name, count) \
  static char name##_identity;        \
  auto* const name = ::dsf::simt::shared_array<type>(&name##_identity, #name, count)
#else
#define DSF_SHARED(type, name, count) __shared__ __align__(16) type name[count]
#endif

/// Before a loop that must be unrolled, so that an array that it indexes lies in registers, or that
/// must stay a loop, as its unrolled form takes too many.
#ifdef DSF_SIMT
#define DSF_UNROLLED
#define DSF_ROLLED
#else
#define DSF_UNROLLED _Pragma("unroll")
#define DSF_ROLLED _Pragma("unroll 1")
#endif

namespace dsf::cuda {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

/// The launch's dynamic shared memory from byte `offset` (a multiple of T's alignment) on.
template <class T>
__device__ inline T* dynamic_shared(size_t offset = 0) {
#ifdef DSF_SIMT
  return reinterpret_cast<T*>(static_cast<unsigned char*>(simt::dynamic_shared()) + offset);
#else
  extern __shared__ __align__(16) unsigned char dsf_dynamic_shared[];
  return reinterpret_cast<T*>(dsf_dynamic_shared + offset);
#endif
}

}  // namespace dsf::cuda
