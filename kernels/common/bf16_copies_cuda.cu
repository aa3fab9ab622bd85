#include "kernels/common/bf16_copies.h"

#include <array>

#include "kernels/common/stream_buffers.h"
#include "kernels/common/tensor_cores.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

static constexpr int kThreads = 256;
static constexpr int kChunk = 8;  // numbers a thread rounds: 16 bytes of bf16

namespace {

/// A matrix as the kernel sees it: chunks, numbered row by row, of which each block has kThreads.
struct ChunkedCopy {
  const float *from = nullptr, *positive = nullptr;
  void* to = nullptr;
  int64_t leading = 0;
  int cols = 0;
  uint32_t row_chunks = 1, chunks = 0;
  unsigned first_block = 0;
  bool vectors = false;  // `from` and `positive` fit them in every row
};

struct ChunkedCopies {
  ChunkedCopy of[kMostBf16Copies];
};

struct alignas(16) Bf16Chunk {
  uint32_t pairs[kChunk / 2];
};

}  // namespace

/// The `left` numbers of a row from `from` on, as many as a chunk has, and zeros behind them.
__device__ static void read_chunk(const float* from, int left, bool vectors,
                                  float (&values)[kChunk]) {
  if (vectors && left >= kChunk) {
    const Vector<4> low = load<4>(from), high = load<4>(from + 4);
    for (int i = 0; i < 4; ++i) {
      values[i] = low[i];
      values[i + 4] = high[i];
    }
  } else {
    for (int i = 0; i < kChunk; ++i) values[i] = i < left ? from[i] : 0.0F;
  }
}

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
  const int64_t at = row * copy.leading + first;
  float values[kChunk], positive[kChunk];
  read_chunk(copy.from + at, copy.cols - first, copy.vectors, values);
  if (copy.positive) {
    read_chunk(copy.positive + at, copy.cols - first, copy.vectors, positive);
    for (int i = 0; i < kChunk; ++i) values[i] = positive[i] > 0.0F ? values[i] : 0.0F;
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
    to.positive = copy.positive;
    to.to = copy.to;
    to.leading = copy.leading;
    to.cols = static_cast<int>(copy.cols);
    to.row_chunks = static_cast<uint32_t>(row_chunks);
    to.chunks = static_cast<uint32_t>(chunks);
    to.vectors = fits_vectors(copy.leading, {copy.from, copy.positive});
    blocks += divide_up(chunks, kThreads);
  }
  if (blocks == 0) return;
  launch(round_to_bf16_kernel, blocks, kThreads, 0, stream_of(ctx), chunked);
}

static StreamBuffers& buffers() {
  static auto* buffers = new StreamBuffers;  // outlives all that may still be queued
  return *buffers;
}

void* bf16_memory(const Context& ctx, int64_t elements) {
  return buffers().of(ctx, static_cast<size_t>(elements) * sizeof(uint16_t));
}

void release_bf16_memory(void* stream) noexcept {
  buffers().release(stream);
}

}  // namespace dsf::cuda
