#pragma once
// What attention's kernels on tensor cores share, for operands rounded to TF32 or bf16.
//
// A block of four warps owns 64 rows of a head (queries; keys in the kernel of dk and dv), each
// warp 16 of them, and goes through the other side's rows that the band meets, 32 at a time; a warp
// leaves out those that none of its own rows sees. Products of its 16 rows with the 32 stay in the
// warp's registers and are the left operand of the next product there: FlashAttention-2 (Dao,
// 2023).
//
// Operands lie in shared memory as words, rounded when they are stored there: one TF32 number, or
// two of bf16, neighbours along what is summed over. The order of the numbers that are summed over
// is free where both operands have the same, and so is that of the columns of a product. It is
// chosen so that a lane reads neighbouring words, all banks at once, and finds in its own
// accumulators what it needs as left operand.
#include "kernels/attention/attention_band.h"
#include "kernels/common/reduce.h"
#include "kernels/common/resident_blocks.h"
#include "kernels/common/tensor_cores.h"

namespace dsf::cuda {

inline constexpr int kBlockWarps = 4, kBlockThreads = kBlockWarps * kWarpSize;
inline constexpr int kMmaRows = 16, kBlockRows = kBlockWarps * kMmaRows;
inline constexpr int kMmaColumns = 8, kColumnBlocks = 4, kColumns = kColumnBlocks * kMmaColumns;
inline constexpr int kStepWords = 8;  // of a row of A, in one instruction

__device__ inline int warp_index() {
  return static_cast<int>(threadIdx.x) / kWarpSize;
}
__device__ inline int lane_index() {
  return static_cast<int>(threadIdx.x) % kWarpSize;
}
/// PTX's names: of 16 rows a lane has accumulators of `lane_group` and `lane_group` + 8.
__device__ inline int lane_group() {
  return lane_index() / 4;
}
__device__ inline int lane_of_group() {
  return lane_index() % 4;
}

// --- Formats ---

/// d of the 16 × 32 products of a warp's rows with the other side's: d[block][2i + h] belongs to
/// row lane_group() + 8i and to column 8·block + Format::row_of(2·lane_of_group() + h).
struct Products16 {
  float d[kColumnBlocks][4];
};

struct Tf32 {
  static constexpr int kPacked = 1;                 // numbers in a word
  static constexpr int kLeftSteps = kColumnBlocks;  // instructions along a product's 32 columns
  __device__ static uint32_t word(float value) { return to_tf32(value); }
  __device__ static void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_tf32(d, a, b);
  }
  /// The row of its tile, of 8, that column `n` of a product belongs to. A lane's accumulators,
  /// columns 2t and 2t + 1, are then those of the rows that it reads as words t and t + 4 of a left
  /// operand; 4 neighbours of the columns begin in different banks.
  __device__ static int row_of(int n) { return n % 2 == 0 ? n / 2 : (n / 2 ^ 2) + 4; }
  /// The row of words behind word t + 4 of a left operand made of accumulators.
  __device__ static int upper_row(int t) { return 4 + (t ^ 2); }
  __device__ static void left(uint32_t (&a)[4], const Products16& p, int step) {
    const float(&d)[4] = p.d[step];
    a[0] = to_tf32(d[0]);
    a[1] = to_tf32(d[2]);
    a[2] = to_tf32(d[1]);
    a[3] = to_tf32(d[3]);
  }
};

struct Bf16 {
  static constexpr int kPacked = 2;
  static constexpr int kLeftSteps = kColumnBlocks / 2;
  __device__ static void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    mma_bf16(d, a, b);
  }
  __device__ static int row_of(int n) { return n; }
  __device__ static int upper_row(int t) { return 4 + t; }
  __device__ static void left(uint32_t (&a)[4], const Products16& p, int step) {
    const float(&lower)[4] = p.d[2 * step];
    const float(&upper)[4] = p.d[2 * step + 1];
    a[0] = pack_bf16(lower[0], lower[1]);
    a[1] = pack_bf16(lower[2], lower[3]);
    a[2] = pack_bf16(upper[0], upper[1]);
    a[3] = pack_bf16(upper[2], upper[3]);
  }
};

template <int count>
struct alignas(count * sizeof(uint32_t)) Words {
  uint32_t at[count];
};
template <int count>
__device__ inline Words<count> load_words(const uint32_t* address) {
  return *reinterpret_cast<const Words<count>*>(address);
}
template <int count>
__device__ inline void store_words(uint32_t* address, const Words<count>& words) {
  *reinterpret_cast<Words<count>*>(address) = words;
}

// --- Tiles in shared memory ---

// Rows of a tile begin 8 banks apart: 4 of them, 8 words each, are all banks. Words are of
// neighbouring channels in a tile to sum over channels (`products`), of the same channel of
// neighbouring rows in one to sum over rows (`add_products`). For TF32 it is the same tile.
template <class Format, int size>
inline constexpr int kChannelPitch = size / Format::kPacked + 8;
template <int size>
inline constexpr int kRowPitch = size + 8;

/// Words of a tile of `rows` rows.
template <class Format, int size, int rows>
inline constexpr int kChannelWords = rows* kChannelPitch<Format, size>;
template <class Format, int size, int rows>
inline constexpr int kRowWords = rows / Format::kPacked* kRowPitch<size>;
/// Words of the block's rows as they are stored; the tiles' place is used for it.
template <int size>
inline constexpr int kStoredWords = kBlockRows* kRowPitch<size>;

/// Whether the next rows are loaded while those before are worked on: where registers suffice.
template <int size>
inline constexpr bool kLoadsAhead = size <= 64;
/// Blocks of an SM, for __launch_bounds__: registers of a thread are what limits them.
template <int size>
inline constexpr int kResidentBlocks = size > 64   ? 2
                                       : size > 32 ? resident_blocks(3, 2)
                                                   : 3;

/// A thread's part of `rows` rows of a head on their way to shared memory: squares of 2 × 2
/// numbers.
template <int size, int rows>
struct Incoming {
  static constexpr int kSquares = rows * size / (4 * kBlockThreads);
  static constexpr int kRowStep = 4 * kBlockThreads / size;  // from square to square
  static_assert(kBlockThreads % (size / 2) == 0);
  float at[kSquares][2][2];

  __device__ static int row() { return static_cast<int>(threadIdx.x) / (size / 2) * 2; }
  __device__ static int channel() { return static_cast<int>(threadIdx.x) % (size / 2) * 2; }

  /// `from` is the first square's place, `count` the number of rows from there on.
  template <int width>
  __device__ void load_by(const float* from, int count, const Band& band) {
    for (int i = 0; i < kSquares; ++i) {
      for (int r = 0; r < 2; ++r) {
        for (int c = 0; c < 2; c += width) {
          Vector<width> values{};
          if (i * kRowStep + r < count && channel() + c < band.head_size) {
            values = load<width>(from + (i * kRowStep + r) * band.embed + c);
          }
          for (int n = 0; n < width; ++n) at[i][r][c + n] = values[n];
        }
      }
    }
  }
  /// Rows from `begin` on; what lies behind the last row or channel is 0.
  __device__ void load_rows(const float* tensor, const TilePlace& place, int begin,
                            const Band& band) {
    const float* const from = tensor + place.offset(begin + row(), band) + channel();
    const int count = band.length - begin - row();
    if (band.vectors) {
      load_by<2>(from, count, band);
    } else {
      load_by<1>(from, count, band);
    }
  }

  template <class Format>
  __device__ void store_channels(uint32_t* tile) const {
    tile += row() * kChannelPitch<Format, size> + channel() / Format::kPacked;
    for (int i = 0; i < kSquares; ++i) {
      for (int r = 0; r < 2; ++r) {
        uint32_t* const to = tile + (i * kRowStep + r) * kChannelPitch<Format, size>;
        if constexpr (Format::kPacked == 1) {
          store_words<2>(to, {to_tf32(at[i][r][0]), to_tf32(at[i][r][1])});
        } else {
          *to = pack_bf16(at[i][r][0], at[i][r][1]);
        }
      }
    }
  }
  template <class Format>
  __device__ void store_rows(uint32_t* tile) const {
    if constexpr (Format::kPacked == 1) {
      store_channels<Format>(tile);
    } else {
      tile += row() / 2 * kRowPitch<size> + channel();
      for (int i = 0; i < kSquares; ++i) {
        store_words<2>(tile + i * kRowStep / 2 * kRowPitch<size>,
                       {pack_bf16(at[i][0][0], at[i][1][0]), pack_bf16(at[i][0][1], at[i][1][1])});
      }
    }
  }
};

// --- Products ---

/// A warp's 16 rows as left operand of products over channels. They are kept in registers, or, not
/// to spill, read from their tile, which must then stay.
template <class Format, int size, bool kept>
class LeftRows {
 public:
  static constexpr int kSteps = size / Format::kPacked / kStepWords;

  /// `tile` holds the block's 64 rows.
  __device__ explicit LeftRows(const uint32_t* tile)
      : tile_(tile + (warp_index() * kMmaRows + lane_group()) * kChannelPitch<Format, size> +
              2 * lane_of_group()) {
    if constexpr (kept) {
      for (int step = 0; step < kSteps; ++step) read(kept_[step], step);
    }
  }
  __device__ void fragment(uint32_t (&a)[4], int step) const {
    if constexpr (kept) {
      for (int i = 0; i < 4; ++i) a[i] = kept_[step][i];
    } else {
      read(a, step);
    }
  }

 private:
  __device__ void read(uint32_t (&a)[4], int step) const {
    const uint32_t* const from = tile_ + step * kStepWords;
    const Words<2> upper = load_words<2>(from);
    const Words<2> lower = load_words<2>(from + 8 * kChannelPitch<Format, size>);
    a[0] = upper.at[0];
    a[1] = lower.at[0];
    a[2] = upper.at[1];
    a[3] = lower.at[1];
  }

  const uint32_t* tile_;
  uint32_t kept_[kept ? kSteps : 1][4];
};

/// Products of the warp's rows with the 32 of `tile`, summed over channels. Which of both is the
/// left operand changes no number's place in the sum: backward gets forward's scores.
template <class Format, int size, bool kept>
__device__ inline Products16 products(const LeftRows<Format, size, kept>& rows,
                                      const uint32_t* tile) {
  tile += Format::row_of(lane_group()) * kChannelPitch<Format, size> + 2 * lane_of_group();
  Products16 sums{};
  for (int step = 0; step < rows.kSteps; ++step) {
    uint32_t a[4];
    rows.fragment(a, step);
    for (int block = 0; block < kColumnBlocks; ++block) {
      const Words<2> b = load_words<2>(tile + block * kMmaColumns * kChannelPitch<Format, size> +
                                       step * kStepWords);
      Format::multiply(sums.d[block], a, b.at);
    }
  }
  return sums;
}

/// A warp's 16 rows of sums over the other side's rows: d[4g + i][2r + h] belongs to row
/// lane_group() + 8r and to channel 32g + 4·(2·lane_of_group() + h) + i.
template <int size>
struct RowSums16 {
  float d[size / kMmaColumns][4];

  /// Multiplies the lane's rows.
  __device__ void scale(float upper, float lower) {
    for (auto& of_block : d) {
      of_block[0] *= upper;
      of_block[1] *= upper;
      of_block[2] *= lower;
      of_block[3] *= lower;
    }
  }
};

/// Adds the 32 rows of `tile`, each as often as the warp's rows' `weights` say.
template <class Format, int size>
__device__ inline void add_products(RowSums16<size>& sums, const Products16& weights,
                                    const uint32_t* tile) {
  const int t = lane_of_group();
  tile += 4 * lane_group();
  for (int step = 0; step < Format::kLeftSteps; ++step) {
    uint32_t a[4];
    Format::left(a, weights, step);
    const uint32_t* const rows = tile + step * kStepWords * kRowPitch<size>;
    for (int g = 0; g < size / 32; ++g) {
      const Words<4> lower = load_words<4>(rows + t * kRowPitch<size> + 32 * g);
      const Words<4> upper = load_words<4>(rows + Format::upper_row(t) * kRowPitch<size> + 32 * g);
      for (int i = 0; i < 4; ++i) {
        const uint32_t b[2] = {lower.at[i], upper.at[i]};
        Format::multiply(sums.d[4 * g + i], a, b);
      }
    }
  }
}

/// Stores the warp's rows by way of its part of `shared`, kStoredWords of the block, so that lanes
/// write neighbours. All that is there must have been read.
template <int size>
__device__ inline void store_sums(float* tensor, float* shared, const RowSums16<size>& sums,
                                  bool accumulate, const TilePlace& place, const Band& band) {
  const int first = warp_index() * kMmaRows;
  shared += first * kRowPitch<size>;
  __syncwarp();
  for (int r = 0; r < 2; ++r) {
    for (int g = 0; g < size / 32; ++g) {
      for (int h = 0; h < 2; ++h) {
        Vector<4> values;
        for (int i = 0; i < 4; ++i) values[i] = sums.d[4 * g + i][2 * r + h];
        store(shared + (lane_group() + 8 * r) * kRowPitch<size> + 32 * g +
                  4 * (2 * lane_of_group() + h),
              values);
      }
    }
  }
  __syncwarp();
  const int count = min(kMmaRows, band.length - place.begin - first);
  float* const rows = tensor + place.offset(place.begin + first, band);
  for (int row = 0; row < count; ++row) {
    for (int channel = lane_index(); channel < band.head_size; channel += kWarpSize) {
      float& out = rows[row * band.embed + channel];
      const float value = shared[row * kRowPitch<size> + channel];
      out = accumulate ? out + value : value;
    }
  }
}

// --- Pairs ---

/// Whether any of `queries` queries from `query` on that the head has sees any of its `keys` keys
/// from `key` on.
__device__ inline bool meets(const Band& band, int query, int queries, int key, int keys) {
  return key < query + queries && key + keys > query - band.lookback && query < band.length &&
         key < band.length;
}
/// Whether all of them see all.
__device__ inline bool sees_all(const Band& band, int query, int queries, int key, int keys) {
  return key + keys - 1 <= query && key >= query + queries - 1 - band.lookback;
}

/// Of dropout's factors of `query` with 16 keys from `key` on, bit n: whether the n-th is not 0.
template <int size>
__device__ inline uint32_t kept_keys(const Band& band, const TilePlace& place, int query, int key) {
  const int64_t first =
      (place.first_row + query) * band.row_factors + band.row_factors - 1 - query + key;
  const int before = static_cast<int>(first & 3);  // a draw gives 4 factors, from a multiple on
  const auto draw = [&](int part) {
    const auto words = band.dropout.block(static_cast<uint64_t>((first >> 2) + part));
    uint32_t kept = 0;
    for (int n = 0; n < 4; ++n) {
      const uint32_t is_kept = words[static_cast<size_t>(n)] >= band.dropout.threshold ? 1 : 0;
      kept |= is_kept << (4 * part + n);
    }
    return kept;
  };
  const int parts = before == 0 ? 4 : 5;
  uint32_t bits = 0;
  int part = 0;
  if constexpr (size <= 64) {  // at once, as a draw is a long chain, where registers suffice
    bits = draw(0) | draw(1) | draw(2) | draw(3);
    part = 4;
  }
  for (; part < parts; ++part) bits |= draw(part);
  return bits >> before & 0xFFFFU;
}

/// Dropout of the pairs of a lane's accumulators where rows are queries.
template <class Format, int size>
class QueryDropout {
 public:
  /// Of the warp's 16 queries from `query` on and 32 keys from `key` on. All lanes must call.
  __device__ QueryDropout(const Band& band, const TilePlace& place, int query, int key) {
    if (!band.dropout.active) return;
    const int lane = lane_index();
    const uint32_t bits =
        kept_keys<size>(band, place, query + lane % kMmaRows, key + lane / kMmaRows * 16);
    for (int i = 0; i < 2; ++i) {
      const int row = lane_group() + 8 * i;
      rows_[i] = __shfl_sync(kAllLanes, bits, row) | __shfl_sync(kAllLanes, bits, row + kMmaRows)
                                                         << 16;
    }
  }
  __device__ bool keeps(int block, int i, int h) const {
    return (rows_[i] >> Format::row_of(2 * lane_of_group() + h) >> (kMmaColumns * block) & 1U) != 0;
  }

 private:
  uint32_t rows_[2] = {0xFFFFFFFFU, 0xFFFFFFFFU};
};

/// Sets the scores of pairs that do not see each other to −∞; sees(row, column) says which do.
template <class Format, class Sees>
__device__ inline void hide(Products16& scores, const Sees& sees) {
  for (int block = 0; block < kColumnBlocks; ++block) {
    for (int n = 0; n < 4; ++n) {
      const int column = kMmaColumns * block + Format::row_of(2 * lane_of_group() + n % 2);
      if (!sees(lane_group() + n / 2 * 8, column)) scores.d[block][n] = -INFINITY;
    }
  }
}

/// exp(x/√S) is exp2 of this times x.
__device__ inline float binary_scale(const Band& band) {
  return band.scale * 1.44269504F;
}

}  // namespace dsf::cuda
