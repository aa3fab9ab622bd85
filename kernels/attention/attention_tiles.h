#pragma once
// What the CUDA kernels of attention in float32 share. Those of forward and backward work on tiles
// of 32 × 32 products, two warps to a tile: small, because of what a tile computes only the band
// counts (at lookback 86 two thirds of 32 × 32, under a third of 128 × 128).
//
// A warp owns 16 rows of its block's tile (queries; keys in the kernel of dk and dv) and goes
// through the tiles of the other side that the band meets. All the work is in two products over
// shared memory, `products` and `add_weighted` (attention_mma.h has tensor cores').
//
// One product of a tile, of head size S, is 2·32²·S = 2048·S FLOP. Forward does two with every 64
// rows that it loads, 4096·S FLOP for 256·S bytes, backward's kernels three and four: at least 16
// FLOP a byte of the L2 cache, which gives an H100 one for about 12 FLOP of fp32. For 64
// multiply-adds, 16 cycles of an SM's four quarters, a warp reads 8 vectors of shared memory
// (`add_weighted` fewer), 16 cycles at two each. So multiply-adds limit, shared memory close
// behind.
#include "kernels/attention/attention_band.h"
#include "kernels/common/reduce.h"

namespace dsf::cuda {

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
