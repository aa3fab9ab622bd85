#pragma once
// Sums over the rows of a condition: which columns of which row are summed at a time.
#include "kernels/common/parallel.h"

namespace dsf {

/// Columns summed at a time, in a buffer on the stack.
inline constexpr int64_t kColumnBlock = 64;

/// Calls body(row, first column, columns) for blocks of at most kColumnBlock columns that together
/// cover rows × cols, in parallel. A block is worth `summed_rows` × kColumnBlock elements.
template <class Body>
void for_row_blocks(int64_t rows, int64_t cols, int64_t summed_rows, const Body& body) {
  const int64_t blocks = (cols + kColumnBlock - 1) / kColumnBlock;
  parallel_for(rows * blocks, 8192 / (summed_rows * kColumnBlock) + 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t first = i % blocks * kColumnBlock;
                   body(i / blocks, first, std::min(kColumnBlock, cols - first));
                 }
               });
}

}  // namespace dsf
