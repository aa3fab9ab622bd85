#pragma once
// Products of a few vectors with the rows of matrices by all warps of a grid of resident blocks,
// which are limited by how fast the matrices come. Weights depend on nothing, so a warp has those
// of the next several products on their way to shared memory at any time, whatever it waits for:
// memory never stands still. What a warp does between two waits is counted in hundreds of cycles of
// a few thousand: nothing is divided there.
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "kernels/common/warp_copies.h"

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
  const float *w = nullptr, *bias = nullptr;
  int rows = 0, cols = 0;
  int log_parts = 0;     // a row has 2^log_parts of them
  int part_columns = 0;  // whole vectors

  Product() = default;
  Product(const float* weights, const float* added, int row_count, int column_count, int log)
      : w(weights),
        bias(added),
        rows(row_count),
        cols(column_count),
        log_parts(log),
        part_columns((cols + (4 << log) - 1) / (4 << log) * 4) {}
  __device__ int tasks() const { return rows << log_parts; }
  __device__ int row_of(int task) const { return task >> log_parts; }
  __device__ int part_of(int task) const { return task & ((1 << log_parts) - 1); }
};

/// A warp's first task, and from one to its next. Neighbouring tasks are different blocks', so that
/// a product of few tasks has work for all.
__device__ inline int first_task() {
  return warp_of_block() * static_cast<int>(gridDim.x) + static_cast<int>(blockIdx.x);
}
__device__ inline int task_stride() {
  return kWarps * static_cast<int>(gridDim.x);
}

inline constexpr int kChunkColumns = 16 * kWarpSize;  // that a warp copies at a time

/// Of a task, the columns from `column` on that are copied at a time.
struct ProductPlace {
  int task, column, end;

  /// The first of a task; of one behind the last it is empty.
  __device__ static ProductPlace of_task(const Product& product, int task) {
    // Of short rows the last parts may lie behind the end.
    const int column = min(product.part_of(task) * product.part_columns, product.cols);
    return {task, column, min(column + product.part_columns, product.cols)};
  }
  __device__ ProductPlace next(const Product& product) const {
    if (column + kChunkColumns < end) return {task, column + kChunkColumns, end};
    return of_task(product, task + task_stride());
  }
};

/// Weights in a warp's registers.
template <int width>
struct Chunk {
  static constexpr int kVectors = 16 / width;
  ProductPlace place;
  float bias;  // part 0's
  Vector<width> weights[kVectors];

  /// This lane's column of vector k.
  __device__ int column(int k) const {
    return place.column + (k * kWarpSize + lane_of_warp()) * width;
  }
};

/// A warp's weights, in the order in which it goes through products[0], products[1], …: `slots`
/// chunks are on their way.
template <int width, int slots, class Products>
class WeightStream {
  using Copies = WarpCopies<width, slots, kChunkColumns>;

 public:
  static constexpr int kBlockFloats = kWarps * Copies::kFloats;

  /// `memory` is the block's, kBlockFloats.
  __device__ WeightStream(const Products& products, float* memory)
      : products_(products), copies_(memory + warp_of_block() * Copies::kFloats) {
    product_ = products_[0];
    requested_ = ProductPlace::of_task(product_, first_task());
    for (int i = 0; i < slots; ++i) request();
  }

  /// The first chunk of a product, the next after that last taken; empty if the warp has no task.
  __device__ Chunk<width> first(const Product& product) {
    return take(product, ProductPlace::of_task(product, first_task()));
  }
  __device__ Chunk<width> next(const Product& product, const Chunk<width>& chunk) {
    return take(product, chunk.place.next(product));
  }

 private:
  /// Sends for the next chunk. Behind the last there are empty ones, so that copies can be counted.
  __device__ void request() {
    while (requested_.task >= product_.tasks() && number_ + 1 < products_.count()) {
      product_ = products_[++number_];
      requested_ = ProductPlace::of_task(product_, first_task());
    }
    if (requested_.task >= product_.tasks()) {
      copies_.request(nullptr, 0);
      return;
    }
    copies_.request(
        product_.w + int64_t{product_.row_of(requested_.task)} * product_.cols + requested_.column,
        min(requested_.end - requested_.column, kChunkColumns));
    requested_ = requested_.next(product_);
  }

  __device__ Chunk<width> take(const Product& product, const ProductPlace& place) {
    Chunk<width> chunk{};
    chunk.place = place;
    if (place.task >= product.tasks()) return chunk;
    const float* const from = copies_.take();
    for (int k = 0; k < Chunk<width>::kVectors; ++k) {
      const int column = chunk.column(k);
      if (column < place.end) chunk.weights[k] = load<width>(from + column - place.column);
    }
    if (product.part_of(place.task) == 0) chunk.bias = product.bias[product.row_of(place.task)];
    request();
    return chunk;
  }

  Products products_;
  Copies copies_;
  int number_ = 0;   // of the product that is requested
  Product product_;  // itself
  ProductPlace requested_;
};

/// Vectors that a product is of, in shared memory: columns from `begin` on, a row to a stream.
struct Operands {
  const float* x;
  int stride, begin;
};

/// Calls emit(row, part, stream, sum) for this warp's tasks, in one lane; `chunk` is the first.
template <int streams, int width, class Stream, class Emit>
__device__ inline void multiply(const Product& product, Chunk<width> chunk, Stream& weights,
                                const Operands& operands, const Emit& emit) {
  float sums[streams] = {};
  while (chunk.place.task < product.tasks()) {  // all lanes of the warp
    const Chunk<width> next = weights.next(product, chunk);
    for (int k = 0; k < chunk.kVectors; ++k) {
      if (chunk.column(k) >= chunk.place.end) continue;
      for (int s = 0; s < streams; ++s) {
        const Vector<width> values =
            load<width>(operands.x + s * operands.stride + chunk.column(k) - operands.begin);
        for (int n = 0; n < width; ++n) sums[s] += chunk.weights[k][n] * values[n];
      }
    }
    if (next.place.task != chunk.place.task) {
      for (int s = 0; s < streams; ++s) {
        const float sum = warp_sum(sums[s]) + chunk.bias;
        const int task = chunk.place.task;
        if (lane_of_warp() == 0) emit(product.row_of(task), product.part_of(task), s, sum);
        sums[s] = 0;
      }
    }
    chunk = next;
  }
}

}  // namespace dsf::cuda
