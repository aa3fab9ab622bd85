#pragma once
// Operands of products on a GPU, rounded to bf16 before. cuBLASLt, asked to multiply float32
// matrices in bf16, takes its kernels for TF32, at half the speed and, where the summed dimension
// is not innermost, at less.
#include "kernels/common/bf16_copies.h"
#include "kernels/cublaslt/matmul.h"

namespace dsf::cuda {

/// A matrix that is not there yet: `of` where `positive` is above 0, and 0 elsewhere, all stored
/// alike.
struct Bf16Mask {
  const float *matrix = nullptr, *of = nullptr, *positive = nullptr;
};

/// If the precision is bf16 and it is worth it, gives two products, of which either may be of
/// nothing (m = 0), rounded copies of their operands, at most kMostBf16Copies, in memory of the
/// stream: that is allocated in the first call of a size, and the copies stay until the next. The
/// copy of mask.matrix, if it is an operand, is of what it is to be.
[[gnu::weak]] void round_operands(const Context& ctx, cublaslt::Product& first,
                                  cublaslt::Product& second, const Bf16Mask& mask = {});

}  // namespace dsf::cuda
