#include <algorithm>
#include <array>

#include "kernels/common/stream_buffers.h"
#include "kernels/common/tensor_cores.h"
#include "kernels/common/vector.h"
#include "kernels/linear/bf16_operands.h"

namespace dsf::cuda {

using cublaslt::Product;
using cublaslt::Rounded;
using cublaslt::Transpose;

static constexpr int kThreads = 256;
static constexpr int kChunk = 8;  // numbers a thread rounds: 16 bytes of bf16

namespace {

/// A matrix as the kernel sees it: chunks, numbered row by row, of which each block has kThreads.
struct ChunkedCopy {
  const float* from = nullptr;
  void* to = nullptr;
  int64_t leading = 0;
  int cols = 0;
  uint32_t row_chunks = 1, chunks = 0;
  unsigned first_block = 0;
  bool vectors = false;  // `from` fits them in every row
};

struct ChunkedCopies {
  ChunkedCopy of[kMostBf16Copies];
};

struct alignas(16) Bf16Chunk {
  uint32_t pairs[kChunk / 2];
};

}  // namespace

/// A thread to a chunk: one store, and two loads where rows fit vectors.
__global__ static void __launch_bounds__(kThreads)
    round_to_bf16_kernel(const __grid_constant__ ChunkedCopies copies) {
  int which = 0;  // the block's
  while (which + 1 < kMostBf16Copies && blockIdx.x >= copies.of[which + 1].first_block) ++which;
  const ChunkedCopy& copy = copies.of[which];
  const uint32_t chunk = (blockIdx.x - copy.first_block) * kThreads + threadIdx.x;
  if (chunk >= copy.chunks) return;
  const uint32_t row = chunk / copy.row_chunks;
  const int first = static_cast<int>(chunk - row * copy.row_chunks) * kChunk;
  const float* from = copy.from + row * copy.leading + first;
  float values[kChunk] = {};
  if (copy.vectors && first + kChunk <= copy.cols) {
    const Vector<4> low = load<4>(from), high = load<4>(from + 4);
    for (int i = 0; i < 4; ++i) {
      values[i] = low[i];
      values[i + 4] = high[i];
    }
  } else {
    for (int i = 0; i < kChunk; ++i) {
      if (first + i < copy.cols) values[i] = from[i];
    }
  }
  Bf16Chunk rounded;
  for (int i = 0; i < kChunk / 2; ++i) {
    rounded.pairs[i] = pack_bf16(values[2 * i], values[2 * i + 1]);
  }
  static_cast<Bf16Chunk*>(copy.to)[chunk] = rounded;
}

void round_to_bf16(const Context& ctx, std::span<const Bf16Copy> copies) {
  DSF_CHECK(copies.size() <= kMostBf16Copies, "{} matrices to round", copies.size());
  ChunkedCopies chunked;
  int64_t blocks = 0;
  for (size_t i = 0; i < kMostBf16Copies; ++i) {
    ChunkedCopy& to = chunked.of[i];
    to.first_block = static_cast<unsigned>(blocks);
    if (i >= copies.size()) continue;  // no block is its
    const Bf16Copy& copy = copies[i];
    const int64_t row_chunks = divide_up(copy.cols, kChunk), chunks = copy.rows * row_chunks;
    DSF_CHECK(chunks > 0 && chunks <= INT32_MAX - kThreads, "a matrix [{}, {}] to round", copy.rows,
              copy.cols);
    to.from = copy.from;
    to.to = copy.to;
    to.leading = copy.leading;
    to.cols = static_cast<int>(copy.cols);
    to.row_chunks = static_cast<uint32_t>(row_chunks);
    to.chunks = static_cast<uint32_t>(chunks);
    to.vectors = fits_vectors(copy.leading, {copy.from});
    blocks += divide_up(chunks, kThreads);
  }
  if (blocks == 0) return;
  launch(round_to_bf16_kernel, blocks, kThreads, 0, stream_of(ctx), chunked);
}

namespace {

/// A product's A and B as they are stored.
Bf16Copy stored_a(const Product& p) {
  const bool transposed = p.transpose_a == Transpose::yes;
  return {p.a, transposed ? p.k : p.m, transposed ? p.m : p.k, p.lda};
}
Bf16Copy stored_b(const Product& p) {
  const bool transposed = p.transpose_b == Transpose::yes;
  return {p.b, transposed ? p.n : p.k, transposed ? p.k : p.n, p.ldb};
}

/// The matrices that products read, each once.
class Operands {
 public:
  void add(const Product& p) {
    if (p.m == 0) return;
    for (const Bf16Copy& matrix : {stored_a(p), stored_b(p)}) {
      if (!find(matrix)) copies_.at(count_++) = matrix;
    }
  }
  int64_t elements() const {
    int64_t sum = 0;
    for (const Bf16Copy& copy : all()) sum += copy.rows * bf16_leading(copy.cols);
    return sum;
  }
  /// `memory` has two bytes for each of elements().
  void place(void* memory) {
    auto* to = static_cast<uint16_t*>(memory);
    for (size_t i = 0; i < count_; ++i) {
      copies_[i].to = to;
      to += copies_[i].rows * bf16_leading(copies_[i].cols);
    }
  }
  void give(Product& p) const {
    if (p.m == 0) return;
    p.a_rounded = rounded(stored_a(p));
    p.b_rounded = rounded(stored_b(p));
  }
  std::span<const Bf16Copy> all() const { return {copies_.data(), count_}; }

 private:
  const Bf16Copy* find(const Bf16Copy& matrix) const {
    const auto found = std::ranges::find_if(all(), [&](const Bf16Copy& copy) {
      return copy.from == matrix.from && copy.rows == matrix.rows && copy.cols == matrix.cols &&
             copy.leading == matrix.leading;
    });
    return found == all().end() ? nullptr : &*found;
  }
  Rounded rounded(const Bf16Copy& matrix) const {
    return {find(matrix)->to, bf16_leading(matrix.cols)};
  }

  std::array<Bf16Copy, kMostBf16Copies> copies_;
  size_t count_ = 0;
};

StreamBuffers& buffers() {
  static auto* buffers = new StreamBuffers;  // outlives all that may still be queued
  return *buffers;
}

}  // namespace

void round_operands(const Context& ctx, Product& first, Product& second) {
  if (ctx.precision != Precision::bf16) return;
  Operands operands;
  operands.add(first);
  operands.add(second);
  const int64_t elements = operands.elements();
  if (elements == 0 || !cublaslt::worth_rounding({&first, &second}, elements)) return;
  operands.place(buffers().of(ctx, static_cast<size_t>(elements) * sizeof(uint16_t)));
  round_to_bf16(ctx, operands.all());
  operands.give(first);
  operands.give(second);
}

void release_bf16_operands(void* stream) noexcept {
  buffers().release(stream);
}

}  // namespace dsf::cuda
