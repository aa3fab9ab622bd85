#pragma once
// Sums over the rows of a matrix, column by column: of all its rows, or of each of several groups
// of consecutive rows.
#include "kernels/common/launch.h"

namespace dsf::cuda {

/// What a kernel takes by value that sums over rows. A block has a strip of columns as wide as the
/// memory's smallest transfer (32 bytes). Up to kRowStep threads share a sum: each takes every so
/// manyth row, then their number halves until one is left, so the order of the sums is fixed, and
/// no atomics are needed. Where groups are small, a block has several.
class ColumnSums {
 public:
  /// `rows` rows in `groups` groups of equal size.
  ColumnSums(int64_t rows, int64_t cols, int64_t groups)
      : group_rows_(rows / groups),
        groups_(groups),
        cols_(static_cast<int>(cols)),
        strips_(static_cast<int>(divide_up(cols, kStrip))) {
    while (sharers_ < kRowStep && sharers_ < group_rows_) sharers_ *= 2;
  }

  Grid blocks(CodeLine where = CodeLine::here()) const {
    return {strips_ * divide_up(groups_, kRowStep / sharers_), where};
  }
  static dim3 threads() { return {kStrip, kRowStep}; }
  /// For __launch_bounds__, with 1 block where the rows are one group: such a kernel has fewer
  /// blocks than there are multiprocessors and is to spend its registers on loads that are under
  /// way.
  static constexpr int kThreads = 512;

  /// The place of this thread's sums in a tensor [groups, cols]; it may lie outside.
  __device__ int64_t place() const { return group() * cols_ + column(); }
  __device__ int column() const {
    return static_cast<int>(blockIdx.x % static_cast<unsigned>(strips_) * kStrip + threadIdx.x);
  }

  /// Calls add(row, row·cols + column) for this thread's share of the rows, which is to add to
  /// `sums` (zeros before), then sums up what threads have that share a sum. True for the thread
  /// that has the result. All of the block must call.
  template <int count, class Add>
  __device__ bool add_up(float (&sums)[count], const Add& add) const {
    const bool inside = group() < groups_ && column() < cols_;
    if (inside) {
      const int64_t end = (group() + 1) * group_rows_;
      const auto add_row = [&](int64_t row) { add(row, row * cols_ + column()); };
      int64_t row = group() * group_rows_ + sharer();
      // A loop whose length is known is unrolled, and its loads are under way at once: there are
      // too few threads here to hide the memory's latency otherwise.
      constexpr int kAhead = 8;
      for (; row + (kAhead - 1) * sharers_ < end; row += kAhead * sharers_) {
        for (int i = 0; i < kAhead; ++i) add_row(row + i * sharers_);
      }
      for (; row < end; row += sharers_) add_row(row);
    }
    combine(sums);
    return inside && sharer() == 0;
  }

 private:
  static constexpr int kStrip = 8, kRowStep = kThreads / kStrip;

  __device__ int64_t group() const {
    const int64_t first = blockIdx.x / static_cast<unsigned>(strips_) * (kRowStep / sharers_);
    return first + static_cast<int>(threadIdx.y) / sharers_;
  }
  __device__ int sharer() const { return static_cast<int>(threadIdx.y) % sharers_; }

  template <int count>
  __device__ void combine(float (&sums)[count]) const {
    DSF_SHARED(float, shared, count* kThreads);
    float* mine = shared + threadIdx.y * kStrip + threadIdx.x;
    for (int i = 0; i < count; ++i) mine[i * kThreads] = sums[i];
    for (int half = sharers_ / 2; half > 0; half /= 2) {
      __syncthreads();
      if (sharer() >= half) continue;
      for (int i = 0; i < count; ++i) mine[i * kThreads] += mine[i * kThreads + half * kStrip];
    }
    for (int i = 0; i < count; ++i) sums[i] = mine[i * kThreads];
  }

  int64_t group_rows_, groups_;
  int cols_, strips_;
  int sharers_ = 1;  // threads that share a sum: a power of two
};

}  // namespace dsf::cuda
