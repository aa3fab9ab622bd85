#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"

namespace dsf::cuda {

/// The running softmax of a lane's rows: their largest score so far, and this lane's share of
/// Σ exp(score − largest).
struct RunningSoftmax {
  float largest[kLaneRows], sum[kLaneRows];
};

/// Takes in the scores of one more tile of keys, from `key` on, which become exponentials relative
/// to the largest score so far; all sums before are brought to that.
template <int size>
__device__ static void take_in(RunningSoftmax& softmax, RowSums<size>& sums, Products& scores,
                               int query, int key, const Band& band) {
  for (int i = 0; i < kLaneRows; ++i) {
    float largest = softmax.largest[i];
    for (int j = 0; j < kLaneColumns; ++j) {
      float& score = scores.at[i][j];
      if (!band.sees(query + i * kRowStep, key + j * kRowLanes)) score = -INFINITY;
      largest = fmaxf(largest, score);
    }
    largest = row_reduce(largest, Larger{});
    const float shrink = expf((softmax.largest[i] - largest) * band.scale);
    softmax.largest[i] = largest;
    softmax.sum[i] *= shrink;
    for (int j = 0; j < kLaneColumns; ++j) {
      scores.at[i][j] = expf((scores.at[i][j] - largest) * band.scale);
      softmax.sum[i] += scores.at[i][j];
    }
    for (int g = 0; g < size / 32; ++g) {
      for (int c = 0; c < 4; ++c) sums.at[i][g][c] *= shrink;
    }
  }
}

template <int size>
__global__ static void __launch_bounds__(kTileThreads, blocks_per_sm(3, size, 8))
    forward_kernel(float* y, float* saved, const float* q, const float* k, const float* v,
                   Band band) {
  float* const queries = shared_tile<size>(0);
  float* const keys = shared_tile<size>(1);
  float* const values = shared_tile<size>(2);
  float* const weights = shared_tile<size>(3);
  const TilePlace place(band, kTile);
  load_tiles<size>({{queries, q}}, place, place.begin, band);

  RunningSoftmax softmax;
  for (int i = 0; i < kLaneRows; ++i) {
    softmax.largest[i] = -INFINITY;
    softmax.sum[i] = 0;
  }
  RowSums<size> sums{};
  // From the diagonal back, so that every row sees a key in the first tile: later tiles may hide
  // all of theirs from it, and the largest score of none would be infinite.
  for (int key = place.begin; key >= band.first_key_tile(place.begin, kTile); key -= kTile) {
    __syncthreads();  // the tiles before have been read
    load_tiles<size>({{keys, k}, {values, v}}, place, key, band);
    draw_factors<Rows::queries>(weights, place, key, band);
    __syncthreads();
    Products scores = products<size>(queries, keys);
    take_in(softmax, sums, scores, place.begin + lane_row(), key + lane_column(), band);
    for (int i = 0; i < kLaneRows; ++i) {
      for (int j = 0; j < kLaneColumns; ++j) scores.at[i][j] *= drawn_factor(weights, i, j, band);
    }
    store_weights(weights, scores);
    __syncwarp();
    add_weighted(sums, weights, values);
  }

  for (int i = 0; i < kLaneRows; ++i) {
    const float inverse = 1.0F / row_reduce(softmax.sum[i], Add{});
    for (int g = 0; g < size / 32; ++g) {
      for (int c = 0; c < 4; ++c) sums.at[i][g][c] *= inverse;
    }
    const int query = place.begin + lane_row() + i * kRowStep;
    if (lane_column() != 0 || query >= band.length) continue;
    float* const row = saved + 3 * (place.first_row + query);
    row[0] = softmax.largest[i];
    row[1] = inverse;
  }
  store_rows(y, place, sums, false, band);
}

void attention_forward(const Context& ctx, Tensor y, Tensor softmax, ConstTensor q, ConstTensor k,
                       ConstTensor v, int64_t heads, int64_t lookback,
                       const DropoutStream& dropout) {
  const Band band(q, heads, lookback, dropout, {y.data, q.data, k.data, v.data});
  if (rounds_attention(ctx, band)) {
    attention_forward_rounded(ctx, band, y, softmax, q, k, v);
    return;
  }
  const int padded = padded_head_size(band.head_size);
  launch(for_head_size(padded, forward_kernel<32>, forward_kernel<64>, forward_kernel<96>,
                       forward_kernel<128>),
         tile_blocks(band, q.dim(0), kTile), kTileThreads, tile_bytes(3, padded), stream_of(ctx),
         y.data, softmax.data, q.data, k.data, v.data, band);
}

}  // namespace dsf::cuda
