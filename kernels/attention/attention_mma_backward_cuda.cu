// attention_backward_cuda.cu on tensor cores: dq in one kernel, dk and dv in another, for the same
// reasons.
#include <algorithm>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_mma.h"

namespace dsf::cuda {

/// Words of 32 rows of a tensor in both forms, to sum over channels and over rows.
template <class Format, int size>
static constexpr int kBothWords = kChannelWords<Format, size, kColumns> +
                                  (Format::kPacked == 1 ? 0 : kRowWords<Format, size, kColumns>);

/// The other side's rows in both forms, which are the same for TF32.
template <class Format, int size>
struct BothTiles {
  uint32_t* channels;
  uint32_t* rows;

  __device__ explicit BothTiles(uint32_t* at)
      : channels(at),
        rows(Format::kPacked == 1 ? at : at + kChannelWords<Format, size, kColumns>) {}
  __device__ void store(const Incoming<size, kColumns>& incoming) const {
    incoming.template store_channels<Format>(channels);
    if constexpr (Format::kPacked != 1) incoming.template store_rows<Format>(rows);
  }
};

/// Words of the block's rows of two tensors.
template <class Format, int size>
static constexpr int kLeftWords = 2 * kChannelWords<Format, size, kBlockRows>;

/// Bytes for two tensors of the block's rows and `words` of the other side's.
template <class Format, int size>
static constexpr size_t backward_bytes(int words) {
  return sizeof(uint32_t) *
         static_cast<size_t>(std::max(kLeftWords<Format, size> + words, kStoredWords<size>));
}

/// What both kernels read; `softmax` is forward's, and the kernel of dq writes D to it.
struct RoundedInputs {
  const float *dy, *y;
  float* softmax;
  const float *q, *k, *v;
};

/// Loads the block's rows.
template <class Format, int size>
__device__ static void load_left(uint32_t* to, const float* tensor, const TilePlace& place,
                                 const Band& band) {
  Incoming<size, kBlockRows> rows;
  rows.load_rows(tensor, place, place.begin, band);
  rows.template store_channels<Format>(to);
}

/// What backward needs of a query: forward's softmax and D = Σ dy·y.
struct alignas(16) QueryTerms {
  float largest, inverse, d, none;
};

/// Read by the four lanes of a row together; saves D. Of a query behind the last all is 0.
__device__ static QueryTerms read_terms(const RoundedInputs& in, const TilePlace& place, int query,
                                        const Band& band) {
  QueryTerms terms{};
  float* const saved = in.softmax + 3 * (place.first_row + query);
  if (query < band.length) {
    terms.largest = saved[0];
    terms.inverse = saved[1];
    const float* const dy = in.dy + place.offset(query, band);
    const float* const y = in.y + place.offset(query, band);
    for (int c = lane_of_group(); c < band.head_size; c += 4) terms.d += dy[c] * y[c];
  }
  for (int distance = 1; distance < 4; distance *= 2) {
    terms.d += __shfl_xor_sync(kAllLanes, terms.d, distance);
  }
  if (query < band.length && lane_of_group() == 0) saved[2] = terms.d;
  return terms;
}

/// What the kernel of dq saved of a query; 0 behind the last.
__device__ static QueryTerms saved_terms(const RoundedInputs& in, const TilePlace& place, int query,
                                         const Band& band) {
  if (query >= band.length) return {};
  const float* const saved = in.softmax + 3 * (place.first_row + query);
  return {saved[0], saved[1], saved[2], 0};
}

/// Makes scores and dp = dy·vᵀ, of which dropout keeps what it does, ds·√S = p∘(f∘dp − D) and p∘f,
/// but for f's factor in the latter.
__device__ static void take_gradient(float& score, float& dp, bool kept, float factor, float scale,
                                     const QueryTerms& terms) {
  const float p = exp2f((score - terms.largest) * scale) * terms.inverse;
  score = p * ((kept ? factor * dp : 0.0F) - terms.d);
  dp = kept ? p : 0.0F;
}

template <class Format, int size>
__global__ static void __launch_bounds__(kBlockThreads, kResidentBlocks<size>)
    mma_query_gradient_kernel(float* dq, bool accumulate, RoundedInputs in, Band band) {
  auto* const left = dynamic_shared<uint32_t>();
  uint32_t* const right = left + kLeftWords<Format, size>;
  const BothTiles<Format, size> keys(right);
  uint32_t* const values = right + kBothWords<Format, size>;
  const TilePlace place(band, kBlockRows);
  uint32_t* const second = left + kChannelWords<Format, size, kBlockRows>;
  load_left<Format, size>(left, in.q, place, band);
  load_left<Format, size>(second, in.dy, place, band);
  const LeftRows<Format, size, false> queries(left);
  const LeftRows<Format, size, false> gradients(second);
  const int query = place.begin + warp_index() * kMmaRows;
  const QueryTerms terms[2] = {read_terms(in, place, query + lane_group(), band),
                               read_terms(in, place, query + lane_group() + 8, band)};
  const float scale = binary_scale(band), factor = band.dropout.active ? band.dropout.scale : 1.0F;

  RowSums16<size> sums{};
  int key = band.first_key_tile(place.begin, kColumns);
  const int end = min(place.begin + kBlockRows, band.length);
  Incoming<size, kColumns> next_keys, next_values;
  const auto load_next = [&](int begin) {
    next_keys.load_rows(in.k, place, begin, band);
    next_values.load_rows(in.v, place, begin, band);
  };
  if (kLoadsAhead<size>) load_next(key);
  for (; key < end; key += kColumns) {
    __syncthreads();  // what was there before has been read
    if (!kLoadsAhead<size>) next_keys.load_rows(in.k, place, key, band);
    keys.store(next_keys);
    if (!kLoadsAhead<size>) next_values.load_rows(in.v, place, key, band);
    next_values.template store_channels<Format>(values);
    __syncthreads();
    if (kLoadsAhead<size> && key + kColumns < end) load_next(key + kColumns);
    if (!meets(band, query, kMmaRows, key, kColumns)) continue;
    // Drawn first, while there is little else in registers.
    const QueryDropout<Format, size> dropout(band, place, query, key);
    Products16 scores = products(queries, keys.channels);
    if (!sees_all(band, query, kMmaRows, key, kColumns)) {
      hide<Format>(scores,
                   [&](int row, int column) { return band.sees(query + row, key + column); });
    }
    Products16 dp = products(gradients, values);
    for (int block = 0; block < kColumnBlocks; ++block) {
      for (int n = 0; n < 4; ++n) {
        take_gradient(scores.d[block][n], dp.d[block][n], dropout.keeps(block, n / 2, n % 2),
                      factor, scale, terms[n / 2]);
      }
    }
    add_products<Format>(sums, scores, keys.rows);
  }
  sums.scale(band.scale, band.scale);
  __syncthreads();  // all warps are through with the tiles
  store_sums(dq, dynamic_shared<float>(), sums, accumulate, place, band);
}

/// take_gradient where rows are the 16 keys from `key` on, columns the 32 queries from `query` on.
template <class Format, int size>
__device__ static void take_key_gradients(Products16& scores, Products16& dp,
                                          const QueryTerms* terms, const Band& band,
                                          const TilePlace& place, int query, int key) {
  const float scale = binary_scale(band), factor = band.dropout.active ? band.dropout.scale : 1.0F;
  uint32_t of_lane = 0xFFFFU;
  if (band.dropout.active) of_lane = kept_keys<size>(band, place, query + lane_index(), key);
  for (int block = 0; block < kColumnBlocks; ++block) {
    for (int h = 0; h < 2; ++h) {
      const int column = kMmaColumns * block + Format::row_of(2 * lane_of_group() + h);
      const uint32_t kept = __shfl_sync(kAllLanes, of_lane, column) >> lane_group();
      const QueryTerms of_query = terms[column];
      for (int i = 0; i < 2; ++i) {
        take_gradient(scores.d[block][2 * i + h], dp.d[block][2 * i + h],
                      (kept >> (8 * i) & 1U) != 0, factor, scale, of_query);
      }
    }
  }
}

// Three blocks an SM would spill: it sums up two gradients.
template <class Format, int size>
__global__ static void __launch_bounds__(kBlockThreads, 2)
    mma_key_value_gradient_kernel(float* dk, bool add_dk, float* dv, bool add_dv, RoundedInputs in,
                                  Band band) {
  DSF_SHARED(QueryTerms, terms, kColumns);
  auto* const left = dynamic_shared<uint32_t>();
  uint32_t* const right = left + kLeftWords<Format, size>;
  const BothTiles<Format, size> queries(right), gradients(right + kBothWords<Format, size>);
  const TilePlace place(band, kBlockRows);
  uint32_t* const second = left + kChannelWords<Format, size, kBlockRows>;
  load_left<Format, size>(left, in.k, place, band);
  load_left<Format, size>(second, in.v, place, band);
  const LeftRows<Format, size, false> keys(left);
  const LeftRows<Format, size, false> values(second);
  const int key = place.begin + warp_index() * kMmaRows;

  RowSums16<size> key_sums{}, value_sums{};
  const int end = min(band.length, place.begin + kBlockRows + band.lookback);
  Incoming<size, kColumns> next_queries, next_gradients;
  const auto load_next = [&](int query) {
    next_queries.load_rows(in.q, place, query, band);
    next_gradients.load_rows(in.dy, place, query, band);
  };
  if (kLoadsAhead<size>) load_next(place.begin);
  QueryTerms next_terms = saved_terms(in, place, place.begin + lane_index(), band);
  for (int query = place.begin; query < end; query += kColumns) {
    __syncthreads();  // what was there before has been read
    if (!kLoadsAhead<size>) next_queries.load_rows(in.q, place, query, band);
    queries.store(next_queries);
    if (!kLoadsAhead<size>) next_gradients.load_rows(in.dy, place, query, band);
    gradients.store(next_gradients);
    if (warp_index() == 0) terms[lane_index()] = next_terms;
    __syncthreads();
    if (kLoadsAhead<size> && query + kColumns < end) load_next(query + kColumns);
    next_terms = saved_terms(in, place, query + kColumns + lane_index(), band);
    if (!meets(band, query, kColumns, key, kMmaRows)) continue;
    Products16 scores = products(keys, queries.channels);
    if (!sees_all(band, query, kColumns, key, kMmaRows)) {
      hide<Format>(scores,
                   [&](int row, int column) { return band.sees(query + column, key + row); });
    }
    Products16 dp = products(values, gradients.channels);
    take_key_gradients<Format, size>(scores, dp, terms, band, place, query, key);
    add_products<Format>(value_sums, dp, gradients.rows);
    add_products<Format>(key_sums, scores, queries.rows);
  }
  const float factor = band.dropout.active ? band.dropout.scale : 1.0F;
  key_sums.scale(band.scale, band.scale);
  value_sums.scale(factor, factor);
  __syncthreads();  // all warps are through with the tiles
  store_sums(dk, dynamic_shared<float>(), key_sums, add_dk, place, band);
  store_sums(dv, dynamic_shared<float>(), value_sums, add_dv, place, band);
}

/// All shared memory of the kernel that needs most.
template <class Format, int size>
static constexpr size_t kMostBytes =
    backward_bytes<Format, size>(2 * kBothWords<Format, size>) + kColumns * sizeof(QueryTerms);

bool rounds_attention(const Context& ctx, const Band& band) {
  if (ctx.precision == Precision::fp32) return false;
  const int padded = padded_head_size(band.head_size);
  const size_t needed = ctx.precision == Precision::bf16
                            ? for_head_size(padded, kMostBytes<Bf16, 32>, kMostBytes<Bf16, 64>,
                                            kMostBytes<Bf16, 128>, kMostBytes<Bf16, 128>)
                            : for_head_size(padded, kMostBytes<Tf32, 32>, kMostBytes<Tf32, 64>,
                                            kMostBytes<Tf32, 128>, kMostBytes<Tf32, 128>);
  return needed <= max_shared_bytes();
}

/// Where a call's gradients go.
struct RoundedGradients {
  Gradient dq, dk, dv;
};

template <class Format, int size>
static void launch_backward(const Context& ctx, const Band& band, int64_t blocks,
                            const RoundedGradients& to, const RoundedInputs& in) {
  constexpr int row_words = kBothWords<Format, size>;
  launch(mma_query_gradient_kernel<Format, size>, blocks, kBlockThreads,
         backward_bytes<Format, size>(row_words + kChannelWords<Format, size, kColumns>),
         stream_of(ctx), to.dq.tensor.data, to.dq.mode == GradientMode::accumulate, in, band);
  launch(mma_key_value_gradient_kernel<Format, size>, blocks, kBlockThreads,
         backward_bytes<Format, size>(2 * row_words), stream_of(ctx), to.dk.tensor.data,
         to.dk.mode == GradientMode::accumulate, to.dv.tensor.data,
         to.dv.mode == GradientMode::accumulate, in, band);
}

void attention_backward_rounded(const Context& ctx, const Band& band, Gradient dq, Gradient dk,
                                Gradient dv, ConstTensor dy, ConstTensor y, Tensor softmax,
                                ConstTensor q, ConstTensor k, ConstTensor v) {
  const int padded = padded_head_size(band.head_size);  // 96 channels are padded to 128
  const auto launch_it =
      ctx.precision == Precision::bf16
          ? for_head_size(padded, launch_backward<Bf16, 32>, launch_backward<Bf16, 64>,
                          launch_backward<Bf16, 128>, launch_backward<Bf16, 128>)
          : for_head_size(padded, launch_backward<Tf32, 32>, launch_backward<Tf32, 64>,
                          launch_backward<Tf32, 128>, launch_backward<Tf32, 128>);
  launch_it(ctx, band, tile_blocks(band, q.dim(0), kBlockRows), {dq, dk, dv},
            {dy.data, y.data, softmax.data, q.data, k.data, v.data});
}

}  // namespace dsf::cuda
