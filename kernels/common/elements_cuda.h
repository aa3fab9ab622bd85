#pragma once
// Kernels that treat elements one by one: a thread to `width` of them.
#include "kernels/common/launch.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

inline constexpr int kElementThreads = 256;

/// The first of the `width` elements that are this thread's; it may lie behind the last.
template <int width>
__device__ inline int64_t first_element() {
  return (int64_t{blockIdx.x} * kElementThreads + threadIdx.x) * width;
}

/// The blocks, of kElementThreads threads, for `size` elements; four to a thread, or one.
inline Grid element_blocks(int64_t size, bool vectors, CodeLine where = CodeLine::here()) {
  return {divide_up(size, kElementThreads * (vectors ? 4 : 1)), where};
}

/// For element `at` of rows of `cols`: the element in a tensor that has one row for `repeat` of
/// these.
__device__ inline int64_t element_of_shared_row(int64_t at, int64_t repeat, int cols) {
  return at / cols / repeat * cols + at % cols;
}

}  // namespace dsf::cuda
