#pragma once
// What the CUDA kernels of attention share. Those of forward and backward work on tiles of
// 32 × 32 products, two warps to a tile: small, because of what a tile computes only the band
// counts (at lookback 86 two thirds of 32 × 32, under a third of 128 × 128).
//
// A warp owns 16 rows of its block's tile (queries; keys in the kernel of dk and dv) and goes
// through the tiles of the other side that the band meets. All the work is in two products over
// shared memory, `products` and `add_weighted`; they are what tensor cores would replace.
//
// One product of a tile, of head size S, is 2·32²·S = 2048·S FLOP. Forward does two with every 64
// rows that it loads, 4096·S FLOP for 256·S bytes, backward's kernels three and four: at least 16
// FLOP a byte of the L2 cache, which gives an H100 one for about 12 FLOP of fp32. For 64
// multiply-adds, 16 cycles of an SM's four quarters, a warp reads 8 vectors of shared memory
// (`add_weighted` fewer), 16 cycles at two each. So multiply-adds limit, shared memory close
// behind.
#include "kernels/common/dropout_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/tensor.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

// --- Head sizes: kernels are compiled for some, and pad others with zeros in shared memory ---

inline constexpr int kHeadSizeStep = 32, kLargestHeadSize = 128;

inline int padded_head_size(int64_t head_size) {
  DSF_CHECK(head_size <= kLargestHeadSize, "heads of {}; on a GPU at most {}", head_size,
            kLargestHeadSize);
  return static_cast<int>(divide_up(head_size, kHeadSizeStep)) * kHeadSizeStep;
}

/// The kernel for a padded head size.
template <class Kernel>
Kernel for_head_size(int padded, Kernel k32, Kernel k64, Kernel k96, Kernel k128) {
  const Kernel kernels[] = {k32, k64, k96, k128};
  return kernels[padded / kHeadSizeStep - 1];
}

// --- Lanes: 8 of them share a row ---

inline constexpr int kRowLanes = 8;

/// Over the 8 lanes that share a row; all lanes of the warp must call.
template <class Combine>
__device__ inline float row_reduce(float value, const Combine& combine) {
  for (int distance = kRowLanes / 2; distance > 0; distance /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, distance));
  }
  return value;
}

// Of its warp's 16 × 32 products a lane has 4 × 4, in rows lane_row() + 4i and columns
// lane_column() + 8j: lanes that read at once read neighbouring rows, which tiles keep in
// different banks.
inline constexpr int kTile = 32, kTileWarps = 2, kTileThreads = kTileWarps * kWarpSize;
inline constexpr int kWarpRows = kTile / kTileWarps;
inline constexpr int kLaneRows = 4, kRowStep = kWarpRows / kLaneRows;
inline constexpr int kLaneColumns = kTile / kRowLanes;

__device__ inline int warp_row() {
  return static_cast<int>(threadIdx.x) / kWarpSize * kWarpRows;
}
__device__ inline int lane_row() {
  return warp_row() + static_cast<int>(threadIdx.x) % kWarpSize / kRowLanes;
}
__device__ inline int lane_column() {
  return static_cast<int>(threadIdx.x) % kRowLanes;
}

// --- The band ---

/// Shapes of a call, as kernels take them.
struct Band {
  int length, embed, heads, head_size;
  int lookback;         // no more than the length
  int64_t row_factors;  // dropout factors of a query
  float scale;
  bool vectors;  // whether rows of heads can be read as Vector<4>
  DropoutFactors dropout;

  Band(ConstTensor q, int64_t head_count, int64_t band, const DropoutStream& stream,
       std::initializer_list<const float*> tensors)
      : length(static_cast<int>(q.dim(1))),
        embed(static_cast<int>(q.dim(2))),
        heads(static_cast<int>(head_count)),
        head_size(embed / heads),
        lookback(static_cast<int>(band < length ? band : length)),
        row_factors(band + 1),
        scale(1.0F / sqrtf(static_cast<float>(head_size))),
        vectors(fits_vectors(head_size, tensors)),
        dropout(stream) {}

  /// The first tile of keys that queries from `query` on see.
  __device__ int first_key_tile(int query) const {
    return query > lookback ? (query - lookback) / kTile * kTile : 0;
  }
  __device__ bool sees(int query, int key) const { return key <= query && key >= query - lookback; }
};

/// The blocks of a kernel that gives one to each tile of each head.
inline int64_t tile_blocks(const Band& band, int64_t batch) {
  return batch * band.heads * divide_up(band.length, kTile);
}

/// A block's head and the first row of its tile.
struct TilePlace {
  int64_t first_row;  // the head's in softmax and among dropout's rows
  int64_t first;      // the head's first element in q, k, v, y
  int begin;

  __device__ explicit TilePlace(const Band& band) {
    const unsigned tiles = static_cast<unsigned>(band.length + kTile - 1) / kTile;
    const unsigned head = blockIdx.x / tiles, heads = static_cast<unsigned>(band.heads);
    first_row = int64_t{head} * band.length;
    first =
        int64_t{head / heads} * band.length * band.embed + int64_t{head % heads} * band.head_size;
    begin = static_cast<int>(blockIdx.x % tiles) * kTile;
  }
  /// Where row `row` of the head begins in q, k, v, y.
  __device__ int64_t offset(int row, const Band& band) const {
    return first + int64_t{row} * band.embed;
  }
};

// --- Tiles in shared memory ---

/// Floats from row to row of a tile of heads padded to `size`, and of a tile of weights: rows are
/// of whole vectors, and begin in banks that are spread over all.
template <int size>
inline constexpr int kStride = size + 4;
inline constexpr int kWeightStride = kTile + 8;

/// Bytes of `tiles` tiles of heads and one of weights.
constexpr size_t tile_bytes(int tiles, int padded) {
  return sizeof(float) * static_cast<size_t>(kTile * (tiles * (padded + 4) + kWeightStride));
}

/// Blocks of `tiles` tiles that fit an SM's shared memory, for __launch_bounds__, so that they fit
/// its registers too; `most` where a kernel would spill to let in more.
constexpr int blocks_per_sm(int tiles, int padded, int most) {
  constexpr size_t kAvailable = 227 * 1024, kReserved = 1024;  // for all blocks, and in each
  const auto fit = static_cast<int>(kAvailable / (tile_bytes(tiles, padded) + kReserved));
  return fit < most ? fit : most;
}

/// Tile `index` of a block's shared memory; the weights lie behind the last.
template <int size>
__device__ inline float* shared_tile(int index) {
  return dynamic_shared<float>() + index * kTile * kStride<size>;
}

/// A tile to load, and the tensor that it is part of.
struct TileSource {
  float* tile;
  const float* tensor;
};

template <int size, int width, int count>
__device__ inline void load_tiles_by(const TileSource (&sources)[count], int64_t at, int rows,
                                     const Band& band) {
  constexpr int parts = size / width, turns = kTile * parts / kTileThreads;
  for (int i = 0; i < turns; ++i) {
    const int part = static_cast<int>(threadIdx.x) + i * kTileThreads;
    const int row = part / parts, channel = part % parts * width;
    for (const TileSource& source : sources) {
      Vector<width> values{};
      if (row < rows && channel < band.head_size) {
        values = load<width>(source.tensor + at + row * band.embed + channel);
      }
      store(source.tile + row * kStride<size> + channel, values);
    }
  }
}

/// Loads 32 rows of a head from row `begin` on, of all sources at once, so that the memory's
/// latency is waited for once; what lies behind the last row or channel is 0.
template <int size, int count>
__device__ inline void load_tiles(const TileSource (&sources)[count], const TilePlace& place,
                                  int begin, const Band& band) {
  const int64_t at = place.offset(begin, band);
  if (band.vectors) {
    load_tiles_by<size, 4>(sources, at, band.length - begin, band);
  } else {
    load_tiles_by<size, 1>(sources, at, band.length - begin, band);
  }
}

// --- Products ---

/// A lane's 4 × 4 of the products of a tile's rows with another's.
struct Products {
  float at[kLaneRows][kLaneColumns];
};

/// Channel after channel with one rounding each: backward gets the bits of forward's scores,
/// whichever tile is `a`, so its probabilities are forward's however large the scores are.
template <int size>
__device__ inline Products products(const float* a, const float* b) {
  a += lane_row() * kStride<size>;
  b += lane_column() * kStride<size>;
  Products sums{};
  for (int channel = 0; channel < size; channel += 4) {
    Vector<4> x[kLaneRows], y[kLaneColumns];
    for (int i = 0; i < kLaneRows; ++i) x[i] = load<4>(a + i * kRowStep * kStride<size> + channel);
    for (int j = 0; j < kLaneColumns; ++j) {
      y[j] = load<4>(b + j * kRowLanes * kStride<size> + channel);
    }
    for (int n = 0; n < 4; ++n) {
      for (int i = 0; i < kLaneRows; ++i) {
        for (int j = 0; j < kLaneColumns; ++j) {
          sums.at[i][j] = fmaf(x[i][n], y[j][n], sums.at[i][j]);
        }
      }
    }
  }
  return sums;
}

/// A lane's part of 16 rows of heads: in rows lane_row() + 4i, channels 4·lane_column() + 32g … +3.
template <int size>
struct RowSums {
  Vector<4> at[kLaneRows][size / 32];
};

/// Adds to this warp's rows those of `tile`, as often as `weights` (of all the block's rows) says.
template <int size>
__device__ inline void add_weighted(RowSums<size>& sums, const float* weights, const float* tile) {
  weights += lane_row() * kWeightStride;
  tile += 4 * lane_column();
  for (int k = 0; k < kTile; k += 4) {
    Vector<4> weight[kLaneRows];
    for (int i = 0; i < kLaneRows; ++i) {
      weight[i] = load<4>(weights + i * kRowStep * kWeightStride + k);
    }
    for (int n = 0; n < 4; ++n) {
      for (int g = 0; g < size / 32; ++g) {
        const Vector<4> values = load<4>(tile + (k + n) * kStride<size> + 32 * g);
        for (int i = 0; i < kLaneRows; ++i) {
          for (int c = 0; c < 4; ++c) sums.at[i][g][c] += weight[i][n] * values[c];
        }
      }
    }
  }
}

template <int size, int width>
__device__ inline void store_rows_by(float* rows, const RowSums<size>& sums, int count,
                                     bool accumulate, const Band& band) {
  for (int i = 0; i < kLaneRows; ++i) {
    const int row = lane_row() + i * kRowStep;
    if (row >= count) return;
    float* const out = rows + int64_t{row} * band.embed;
    for (int g = 0; g < size / 32; ++g) {
      for (int c = 0; c < 4; c += width) {
        const int channel = 4 * lane_column() + 32 * g + c;
        if (channel >= band.head_size) continue;
        Vector<width> values{};
        if (accumulate) values = load<width>(out + channel);
        for (int n = 0; n < width; ++n) values[n] += sums.at[i][g][c + n];
        store(out + channel, values);
      }
    }
  }
}

/// Stores this lane's part of the block's rows.
template <int size>
__device__ inline void store_rows(float* tensor, const TilePlace& place, const RowSums<size>& sums,
                                  bool accumulate, const Band& band) {
  float* rows = tensor + place.offset(place.begin, band);
  if (band.vectors) {
    store_rows_by<size, 4>(rows, sums, band.length - place.begin, accumulate, band);
  } else {
    store_rows_by<size, 1>(rows, sums, band.length - place.begin, accumulate, band);
  }
}

// --- Weights: what pairs have, from the lanes that computed it to those that need it ---

/// Where a lane's pair (i, j) lies in a tile of weights.
__device__ inline int weight_at(int i, int j) {
  return (lane_row() + i * kRowStep) * kWeightStride + lane_column() + j * kRowLanes;
}

__device__ inline void store_weights(float* weights, const Products& values) {
  for (int i = 0; i < kLaneRows; ++i) {
    for (int j = 0; j < kLaneColumns; ++j) weights[weight_at(i, j)] = values.at[i][j];
  }
}

/// What the rows of a block's tile are.
enum class Rows { queries, keys };

/// Puts into the warp's rows of `weights` the dropout factors of the block's rows with the other
/// side's 32 from `column` on. A draw gives those of four keys in a row, which begin at any of the
/// four.
template <Rows rows>
__device__ inline void draw_factors(float* weights, const TilePlace& place, int column,
                                    const Band& band) {
  if (!band.dropout.active) return;
  constexpr bool of_queries = rows == Rows::queries;
  constexpr int queries = of_queries ? kWarpRows : kTile, keys = of_queries ? kTile : kWarpRows;
  const int row = place.begin + warp_row();
  const int first_query = of_queries ? row : column, first_key = of_queries ? column : row;
  float* const to = weights + warp_row() * kWeightStride;
  constexpr int draws = queries * (keys / 4 + 1);
  for (int draw = static_cast<int>(threadIdx.x) % kWarpSize; draw < draws; draw += kWarpSize) {
    const int query = draw % queries, part = draw / queries;
    const int64_t before_key = band.row_factors - 1 - (first_query + query);
    const auto first = static_cast<uint64_t>(
        (place.first_row + first_query + query) * band.row_factors + before_key + first_key);
    float drawn[4];
    band.dropout.fill<4>((first / 4 + static_cast<uint64_t>(part)) * 4, drawn);
    const int begin = 4 * part - static_cast<int>(first % 4);
    for (int n = 0; n < 4; ++n) {
      const int key = begin + n;
      if (key < 0 || key >= keys) continue;
      to[of_queries ? query * kWeightStride + key : key * kWeightStride + query] = drawn[n];
    }
  }
}

/// The factor of this lane's pair (i, j), drawn before a barrier.
__device__ inline float drawn_factor(const float* weights, int i, int j, const Band& band) {
  return band.dropout.active ? weights[weight_at(i, j)] : 1.0F;
}

}  // namespace dsf::cuda
