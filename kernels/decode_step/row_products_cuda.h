#pragma once
// Products of a few vectors with the rows of a matrix by all warps of a grid of resident blocks,
// which are limited by how fast the matrix comes. A warp has the next of its weights under way
// while it adds up those before, and the first of a product since before the barrier that the
// vectors wait for: weights depend on nothing.
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

inline constexpr int kThreads = 512, kWarps = kThreads / kWarpSize;  // of a block

__device__ inline int warp_of_block() {
  return static_cast<int>(threadIdx.x) / kWarpSize;
}
__device__ inline int lane_of_warp() {
  return static_cast<int>(threadIdx.x) % kWarpSize;
}

/// y = w·x + bias. A task is a part of a row: what one warp adds up.
struct Product {
  const float *w, *bias;
  int rows, cols, parts;

  __device__ int tasks() const { return rows * parts; }
  /// Columns of a part: whole vectors.
  __device__ int part_columns() const { return (cols + 4 * parts - 1) / (4 * parts) * 4; }
};

/// Weights that are on their way to a warp: of a task, those of the columns from `column` on.
template <int width>
struct Chunk {
  static constexpr int kVectors = 16 / width, kColumns = 16 * kWarpSize;
  int task, column, end;
  float bias;  // part 0's
  Vector<width> weights[kVectors];

  /// This lane's column of vector k.
  __device__ int place(int k) const { return column + (k * kWarpSize + lane_of_warp()) * width; }

  __device__ void load_weights(const Product& product) {
    const float* row = product.w + int64_t{task / product.parts} * product.cols;
    for (int k = 0; k < kVectors; ++k) {
      weights[k] = Vector<width>{};
      if (place(k) < end) weights[k] = load<width>(row + place(k));
    }
  }
};

/// The first chunk of a task; one behind the last is empty.
template <int width>
__device__ inline Chunk<width> chunk_of_task(const Product& product, int task) {
  Chunk<width> chunk{};
  chunk.task = task;
  if (task >= product.tasks()) return chunk;
  const int part = task % product.parts;
  chunk.column = part * product.part_columns();
  chunk.end = min(chunk.column + product.part_columns(), product.cols);
  chunk.load_weights(product);
  if (part == 0) chunk.bias = product.bias[task / product.parts];
  return chunk;
}

/// A warp's first chunk. Neighbouring tasks are different blocks', so that a stage of few tasks has
/// work for all.
template <int width>
__device__ inline Chunk<width> first_chunk(const Product& product) {
  return chunk_of_task<width>(
      product, warp_of_block() * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x));
}

template <int width>
__device__ inline Chunk<width> next_chunk(const Product& product, const Chunk<width>& chunk) {
  if (chunk.column + chunk.kColumns >= chunk.end) {
    return chunk_of_task<width>(product, chunk.task + kWarps * static_cast<int>(gridDim.x));
  }
  Chunk<width> next = chunk;
  next.column += chunk.kColumns;
  next.load_weights(product);
  return next;
}

/// Calls emit(row, part, stream, sum) for this warp's tasks, in one lane. Row s of `x` is stream
/// s's; `chunk` is the first.
template <int width, int streams, class Emit>
__device__ inline void multiply(const Product& product, Chunk<width> chunk, const float* x,
                                const Emit& emit) {
  float sums[streams] = {};
  while (chunk.task < product.tasks()) {  // all lanes of the warp
    const Chunk<width> next = next_chunk(product, chunk);
    for (int k = 0; k < chunk.kVectors; ++k) {
      if (chunk.place(k) >= chunk.end) continue;
      for (int s = 0; s < streams; ++s) {
        const Vector<width> values = load<width>(x + s * product.cols + chunk.place(k));
        for (int n = 0; n < width; ++n) sums[s] += chunk.weights[k][n] * values[n];
      }
    }
    if (next.task != chunk.task) {
      for (int s = 0; s < streams; ++s) {
        const float sum = warp_sum(sums[s]) + chunk.bias;
        if (lane_of_warp() == 0) {
          emit(chunk.task / product.parts, chunk.task % product.parts, s, sum);
        }
        sums[s] = 0;
      }
    }
    chunk = next;
  }
}

}  // namespace dsf::cuda
