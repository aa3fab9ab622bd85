#pragma once
// Operands of products on a GPU, rounded to bf16 before. cuBLASLt, asked to multiply float32
// matrices in bf16, takes its kernels for TF32, at half the speed and, where the summed dimension
// is not innermost, at less.
#include <cstdint>
#include <span>

#include "kernels/common/context.h"
#include "kernels/cublaslt/matmul.h"

namespace dsf::cuda {

/// A row-major matrix in device memory, and where its copy goes: to an address that fits 16 bytes,
/// with rows of bf16_leading(cols) numbers, of which those behind the last column become 0.
struct Bf16Copy {
  const float* from = nullptr;
  int64_t rows = 0, cols = 0, leading = 0;
  void* to = nullptr;
};

inline constexpr int kMostBf16Copies = 3;

constexpr int64_t bf16_leading(int64_t cols) {
  return (cols + 7) / 8 * 8;
}

/// Rounds up to kMostBf16Copies matrices to nearest, ties to even, in one launch.
[[gnu::weak]] void round_to_bf16(const Context& ctx, std::span<const Bf16Copy> copies);

/// If the precision is bf16 and it is worth it, gives two products, of which either may be of
/// nothing (m = 0), rounded copies of their operands, at most kMostBf16Copies, in memory of the
/// stream: that is allocated in the first call of a size, and the copies stay until the next.
[[gnu::weak]] void round_operands(const Context& ctx, cublaslt::Product& first,
                                  cublaslt::Product& second);
/// Frees a stream's copies, if it has any, when its products are done.
[[gnu::weak]] void release_bf16_operands(void* stream) noexcept;

}  // namespace dsf::cuda
