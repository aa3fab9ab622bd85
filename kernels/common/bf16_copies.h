#pragma once
// Copies of float32 matrices, rounded to bf16, in the memory of a GPU.
#include <cstdint>
#include <span>

#include "kernels/common/context.h"

namespace dsf::cuda {

/// A row-major matrix in device memory, and where its copy goes: to an address that fits 16 bytes,
/// with rows of bf16_leading(cols) numbers, of which those behind the last column become 0, as does
/// all where `positive`, if it is given, a matrix stored alike, is not above 0.
struct Bf16Copy {
  const float* from = nullptr;
  int64_t rows = 0, cols = 0, leading = 0;
  void* to = nullptr;
  const float* positive = nullptr;
};

inline constexpr int kMostBf16Copies = 3;

constexpr int64_t bf16_leading(int64_t cols) {
  return (cols + 7) / 8 * 8;
}

/// Rounds up to kMostBf16Copies matrices to nearest, ties to even, in one launch.
[[gnu::weak]] void round_to_bf16(const Context& ctx, std::span<const Bf16Copy> copies);

/// Memory of the stream for such copies: allocated in the first call of a size; what is there stays
/// until the next call's work overwrites it.
void* bf16_memory(const Context& ctx, int64_t elements);
/// Frees a stream's, if it has any, when what is queued there is done.
[[gnu::weak]] void release_bf16_memory(void* stream) noexcept;

}  // namespace dsf::cuda
