#include "kernels/attention/attention.h"
#include "kernels/attention/attention_mma.h"

namespace dsf::cuda {

/// The running softmax of a lane's two rows: their largest score so far, and this lane's share of
/// Σ exp((score − largest)/√S).
struct RunningSoftmax16 {
  float largest[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
};

/// Takes in the scores of 32 more keys, which become exponentials relative to the largest score so
/// far; all sums before are brought to that.
template <int size>
__device__ static void take_in(RunningSoftmax16& softmax, RowSums16<size>& sums, Products16& scores,
                               float scale) {
  float shrink[2];
  for (int i = 0; i < 2; ++i) {
    float largest = softmax.largest[i];
    for (auto& d : scores.d) largest = fmaxf(largest, fmaxf(d[2 * i], d[2 * i + 1]));
    for (int distance = 1; distance < 4; distance *= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, distance));
    }
    shrink[i] = exp2f((softmax.largest[i] - largest) * scale);
    softmax.largest[i] = largest;
    float sum = softmax.sum[i] * shrink[i];
    for (auto& d : scores.d) {
      for (int h = 0; h < 2; ++h) {
        d[2 * i + h] = exp2f((d[2 * i + h] - largest) * scale);
        sum += d[2 * i + h];
      }
    }
    softmax.sum[i] = sum;
  }
  sums.scale(shrink[0], shrink[1]);
}

/// Drops what dropout drops; what it keeps is multiplied at the end.
template <class Format, int size>
__device__ static void drop(Products16& weights, const QueryDropout<Format, size>& dropout) {
  for (int block = 0; block < kColumnBlocks; ++block) {
    for (int i = 0; i < 2; ++i) {
      for (int h = 0; h < 2; ++h) {
        if (!dropout.keeps(block, i, h)) weights.d[block][2 * i + h] = 0;
      }
    }
  }
}

template <class Format, int size>
static constexpr size_t forward_bytes() {
  constexpr int tiles = kChannelWords<Format, size, kColumns> + kRowWords<Format, size, kColumns>;
  return sizeof(uint32_t) * static_cast<size_t>(max(tiles, kStoredWords<size>));
}

template <class Format, int size>
__global__ static void __launch_bounds__(kBlockThreads, kResidentBlocks<size>)
    mma_forward_kernel(float* y, float* saved, const float* q, const float* k, const float* v,
                       Band band) {
  auto* const keys = dynamic_shared<uint32_t>();
  uint32_t* const values = keys + kChannelWords<Format, size, kColumns>;
  const TilePlace place(band, kBlockRows);
  {
    Incoming<size, kBlockRows> queries;
    queries.load_rows(q, place, place.begin, band);
    queries.template store_channels<Format>(keys);
  }
  __syncthreads();
  const LeftRows<Format, size, true> queries(keys);

  const int query = place.begin + warp_index() * kMmaRows;
  const float scale = binary_scale(band);
  RunningSoftmax16 softmax;
  RowSums16<size> sums{};
  // From the diagonal back, so that every row sees a key among the first that its warp looks at:
  // later ones may all be hidden from it, and the largest score of none would be infinite.
  int key = min(place.begin + kBlockRows, band.length) - 1;
  key -= key % kColumns;
  const int last = band.first_key_tile(place.begin, kColumns);
  Incoming<size, kColumns> next_keys, next_values;
  const auto load_next = [&](int begin) {
    next_keys.load_rows(k, place, begin, band);
    next_values.load_rows(v, place, begin, band);
  };
  if (kLoadsAhead<size>) load_next(key);
  for (; key >= last; key -= kColumns) {
    __syncthreads();  // what was there before has been read
    if (!kLoadsAhead<size>) next_keys.load_rows(k, place, key, band);
    next_keys.template store_channels<Format>(keys);
    if (!kLoadsAhead<size>) next_values.load_rows(v, place, key, band);
    next_values.template store_rows<Format>(values);
    __syncthreads();
    if (kLoadsAhead<size> && key > last) load_next(key - kColumns);
    if (!meets(band, query, kMmaRows, key, kColumns)) continue;
    // Drawn first, while there is little else in registers.
    const QueryDropout<Format, size> dropout(band, place, query, key);
    Products16 scores = products(queries, keys);
    if (!sees_all(band, query, kMmaRows, key, kColumns)) {
      hide<Format>(scores,
                   [&](int row, int column) { return band.sees(query + row, key + column); });
    }
    take_in(softmax, sums, scores, scale);
    drop(scores, dropout);
    add_products<Format>(sums, scores, values);
  }

  float inverse[2];
  for (int i = 0; i < 2; ++i) {
    float sum = softmax.sum[i];
    for (int distance = 1; distance < 4; distance *= 2) {
      sum += __shfl_xor_sync(kAllLanes, sum, distance);
    }
    inverse[i] = 1.0F / sum;
    const int row = query + lane_group() + 8 * i;
    if (lane_of_group() != 0 || row >= band.length) continue;
    float* const of_row = saved + 3 * (place.first_row + row);
    of_row[0] = softmax.largest[i];
    of_row[1] = inverse[i];
  }
  const float factor = band.dropout.active ? band.dropout.scale : 1.0F;
  sums.scale(inverse[0] * factor, inverse[1] * factor);
  __syncthreads();  // all warps are through with the tiles
  store_sums(y, dynamic_shared<float>(), sums, false, place, band);
}

template <class Format, int size>
static void launch_forward(const Context& ctx, const Band& band, Tensor y, Tensor softmax,
                           ConstTensor q, ConstTensor k, ConstTensor v) {
  launch(mma_forward_kernel<Format, size>, tile_blocks(band, q.dim(0), kBlockRows), kBlockThreads,
         forward_bytes<Format, size>(), stream_of(ctx), y.data, softmax.data, q.data, k.data,
         v.data, band);
}

void attention_forward_rounded(const Context& ctx, const Band& band, Tensor y, Tensor softmax,
                               ConstTensor q, ConstTensor k, ConstTensor v) {
  const int padded = padded_head_size(band.head_size);  // 96 channels are padded to 128
  const auto launch_it =
      ctx.precision == Precision::bf16
          ? for_head_size(padded, launch_forward<Bf16, 32>, launch_forward<Bf16, 64>,
                          launch_forward<Bf16, 128>, launch_forward<Bf16, 128>)
          : for_head_size(padded, launch_forward<Tf32, 32>, launch_forward<Tf32, 64>,
                          launch_forward<Tf32, 128>, launch_forward<Tf32, 128>);
  launch_it(ctx, band, y, softmax, q, k, v);
}

}  // namespace dsf::cuda
