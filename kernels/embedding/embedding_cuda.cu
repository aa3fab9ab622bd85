#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/embedding/embedding.h"

namespace dsf::cuda {

template <int width>
__global__ static void forward_kernel(float* y, const int32_t* tokens, const float* tables,
                                      int codebooks, int vocabulary, int part, int64_t size) {
  const int64_t at = first_element<width>();
  if (at >= size) return;
  const int64_t row = at / part;
  const int32_t token = tokens[row];
  Vector<width> values;
  if (token >= 0 && token < vocabulary) {
    const int64_t entry = row % codebooks * vocabulary + token;
    values = load<width>(tables + entry * part + at % part);
  } else {
    for (int i = 0; i < width; ++i) values[i] = NAN;
  }
  store(y + at, values);
}

void embedding_forward(const Context& ctx, Tensor y, ConstIndexTensor tokens, ConstTensor tables) {
  const bool vectors = fits_vectors(tables.dim(2), {y.data, tables.data});
  launch(vectors ? forward_kernel<4> : forward_kernel<1>, element_blocks(y.size(), vectors),
         kElementThreads, 0, stream_of(ctx), y.data, tokens.data, tables.data,
         static_cast<int>(tables.dim(0)), static_cast<int>(tables.dim(1)),
         static_cast<int>(tables.dim(2)), y.size());
}

// A block to an entry of a table and a strip of its columns. Each warp searches its share of the
// positions for the entry's token, 32 at a time, and adds up what it finds in order; then the
// warps' sums are added in order. All blocks together read the tokens once per entry of a table,
// from cache: 56 MB for 3440 positions and 4 tables of 1024, which no sorting would be worth. The
// warps are many so that a token that fills a sequence (silence) is no long way for one of them.
static constexpr int kWarps = 8, kLaneColumns = 4, kColumns = kWarpSize * kLaneColumns;

template <int width>
__global__ static void backward_kernel(Gradient dtables, const float* dy, const int32_t* tokens,
                                       int64_t positions, int codebooks, int vocabulary, int part) {
  DSF_SHARED(float, of_warps, kWarps* kColumns);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int codebook = static_cast<int>(blockIdx.x) / vocabulary;
  const int token = static_cast<int>(blockIdx.x) % vocabulary;
  const int strip = static_cast<int>(blockIdx.y) * kColumns;
  const int64_t share = (positions + kWarps - 1) / kWarps;
  const int64_t begin = warp * share, end = min(begin + share, positions);

  float sums[kLaneColumns] = {};  // of columns (k·32 + lane)·width … of the strip
  for (int64_t first = begin; first < end; first += kWarpSize) {
    const int64_t mine = first + lane;
    const bool found = mine < end && tokens[mine * codebooks + codebook] == token;
    for (unsigned left = __ballot_sync(kAllLanes, found); left != 0; left &= left - 1) {
      const int64_t position = first + __ffs(static_cast<int>(left)) - 1;
      const float* gradient = dy + (position * codebooks + codebook) * part + strip;
      for (int k = 0; k < kLaneColumns / width; ++k) {
        const int column = (k * kWarpSize + lane) * width;
        if (strip + column >= part) continue;
        const Vector<width> values = load<width>(gradient + column);
        for (int i = 0; i < width; ++i) sums[k * width + i] += values[i];
      }
    }
  }
  for (int k = 0; k < kLaneColumns / width; ++k) {
    for (int i = 0; i < width; ++i) {
      of_warps[warp * kColumns + (k * kWarpSize + lane) * width + i] = sums[k * width + i];
    }
  }
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x);
  if (column >= kColumns || strip + column >= part) return;
  float sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += of_warps[i * kColumns + column];
  put(dtables, int64_t{blockIdx.x} * part + strip + column, sum);
}

void embedding_backward(const Context& ctx, Gradient dtables, ConstTensor dy,
                        ConstIndexTensor tokens) {
  const Tensor tables = dtables.tensor;
  const int64_t entries = tables.dim(0) * tables.dim(1), part = tables.dim(2);
  const bool vectors = fits_vectors(part, {dy.data});
  launch(vectors ? backward_kernel<4> : backward_kernel<1>,
         dim3(static_cast<unsigned>(entries), static_cast<unsigned>(divide_up(part, kColumns))),
         kWarps * kWarpSize, 0, stream_of(ctx), dtables, dy.data, tokens.data, tokens.dim(0),
         static_cast<int>(tables.dim(0)), static_cast<int>(tables.dim(1)), static_cast<int>(part));
}

}  // namespace dsf::cuda
