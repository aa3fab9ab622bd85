#pragma once
// Products of small matrices by the tensor cores of a GPU, a warp to each: D[16, 8] += A·B with
// float32 sums. Which lane holds which elements is PTX's: with group = lane / 4 and t = lane % 4,
//
//   d: rows group, group, group + 8, group + 8; columns 2t, 2t + 1, 2t, 2t + 1
//   TF32, A [16, 8], B [8, 8]:
//     a: (row, k) = (group, t), (group + 8, t), (group, t + 4), (group + 8, t + 4)
//     b: (k, column) = (t, group), (t + 4, group)
//   bf16, A [16, 16], B [16, 8], two neighbours along k in a register, the first in its lower half:
//     a: (group, 2t), (group + 8, 2t), (group, 2t + 8), (group + 8, 2t + 8)
//     b: (2t, group), (2t + 8, group)
//
// Source: PTX ISA 9.0, "Matrix Fragments for mma.m16n8k8" and "…mma.m16n8k16".
#include <cstdint>

#include "kernels/common/cuda.h"
#ifdef DSF_SIMT
#include "tests/simt/tensor_cores.h"
#endif

namespace dsf::cuda {

/// x rounded to TF32, to nearest. An operand that is not rounded is cut off.
__device__ inline uint32_t to_tf32(float x) {
#ifdef DSF_SIMT
  return simt::round_to_tf32(x);
#else
  uint32_t rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
#endif
}

/// What cutting off rounds in the same way: two instructions, where that one instruction of PTX
/// becomes four, as infinities and NaN must stay. Half a unit of TF32's last place is 2^-11 of x's
/// power of two.
__device__ inline uint32_t to_tf32_when_cut(float x) {
#ifdef DSF_SIMT
  return simt::round_to_tf32(x);
#else
  const float power = __uint_as_float(__float_as_uint(x) & 0xFF800000U);
  return __float_as_uint(fmaf(power, 0x1p-11F, x));
#endif
}

/// Two numbers rounded to bf16, `low` in the lower half.
__device__ inline uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

#ifdef DSF_SIMT
inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                     CodeLine site = CodeLine::here()) {
  simt::mma_tf32(d, a, b, site);
}
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                     CodeLine site = CodeLine::here()) {
  simt::mma_bf16(d, a, b, site);
}
#else
#define DSF_MMA(shape_and_types)                                                  \
  asm volatile("mma.sync.aligned." shape_and_types                                \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                   \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
/// D += A·B of TF32 numbers, [16, 8]·[8, 8].
__device__ inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  DSF_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
}
/// D += A·B of bf16 numbers, [16, 16]·[16, 8].
__device__ inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  DSF_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
}
#undef DSF_MMA
#endif

}  // namespace dsf::cuda
