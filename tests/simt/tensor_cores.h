#pragma once
// Tensor cores' products as the simulation does them, for kernels/common/tensor_cores.h.
#include <cstdint>

#include "tests/simt/device.h"

namespace dsf::simt {

/// x rounded to TF32's 10 bits behind the point, ties away from zero.
uint32_t round_to_tf32(float x);

/// mma.sync.aligned.m16n8k8 of TF32 numbers, by all lanes of a warp.
void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], CodeLine site);
/// mma.sync.aligned.m16n8k16 of bf16 numbers.
void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], CodeLine site);

}  // namespace dsf::simt
