// dq in one kernel, dk and dv in another: each gradient is summed by one block, in one order, with
// neither atomics nor memory in between. The price is that both compute scores and dy·vᵀ.
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"

namespace dsf::cuda {

/// What both kernels read; that of dq writes D to `softmax`.
struct BackwardInputs {
  const float *dy, *y;
  float* softmax;
  const float *q, *k, *v;
};

/// What backward needs of a query: what forward saved, and D = Σ dy·y.
struct QueryRow {
  float largest, inverse, d;
};

template <int size, int width>
__device__ static float partial_dot(const float* a, const float* b, int head_size) {
  float sum = 0;
  for (int i = 0; i < size / (kRowLanes * width); ++i) {
    const int channel = (lane_column() + i * kRowLanes) * width;
    if (channel >= head_size) continue;
    const Vector<width> x = load<width>(a + channel), y = load<width>(b + channel);
    for (int n = 0; n < width; ++n) sum += x[n] * y[n];
  }
  return sum;
}

/// Read by the 8 lanes of a row together; saves D. Queries behind the last see all keys with
/// probability 0.
template <int size>
__device__ static QueryRow query_row(const BackwardInputs& in, const TilePlace& place, int query,
                                     const Band& band) {
  QueryRow row{};
  if (query < band.length) {
    const float* const saved = in.softmax + 3 * (place.first_row + query);
    row.largest = saved[0];
    row.inverse = saved[1];
    const int64_t at = place.offset(query, band);
    row.d = band.vectors ? partial_dot<size, 4>(in.dy + at, in.y + at, band.head_size)
                         : partial_dot<size, 1>(in.dy + at, in.y + at, band.head_size);
  }
  row.d = row_reduce(row.d, Add{});
  if (query < band.length && lane_column() == 0)
    in.softmax[3 * (place.first_row + query) + 2] = row.d;
  return row;
}

/// The probability of a pair, from the scaled softmax's saved row.
__device__ static float probability(float score, const QueryRow& row, int query, int key,
                                    const Band& band) {
  return band.sees(query, key) ? expf((score - row.largest) * band.scale) * row.inverse : 0.0F;
}

/// ds = p∘(f∘dp − D)/√S of a pair.
__device__ static float score_gradient(float p, float factor, float dp, const QueryRow& row,
                                       const Band& band) {
  return p * (factor * dp - row.d) * band.scale;
}

template <int size>
__global__ static void __launch_bounds__(kTileThreads, blocks_per_sm(4, size, 6))
    query_gradient_kernel(float* dq, bool accumulate, BackwardInputs in, Band band) {
  float* const queries = shared_tile<size>(0);
  float* const gradients = shared_tile<size>(1);
  float* const keys = shared_tile<size>(2);
  float* const values = shared_tile<size>(3);
  float* const weights = shared_tile<size>(4);
  const TilePlace place(band, kTile);
  load_tiles<size>({{queries, in.q}, {gradients, in.dy}}, place, place.begin, band);
  const int first_query = place.begin + lane_row();
  QueryRow rows[kLaneRows];
  for (int i = 0; i < kLaneRows; ++i) {
    rows[i] = query_row<size>(in, place, first_query + i * kRowStep, band);
  }

  RowSums<size> sums{};
  for (int key = place.begin; key >= band.first_key_tile(place.begin, kTile); key -= kTile) {
    __syncthreads();  // the tiles before have been read
    load_tiles<size>({{keys, in.k}, {values, in.v}}, place, key, band);
    draw_factors<Rows::queries>(weights, place, key, band);
    __syncthreads();
    Products scores = products<size>(queries, keys);
    const Products dp = products<size>(gradients, values);
    for (int i = 0; i < kLaneRows; ++i) {
      for (int j = 0; j < kLaneColumns; ++j) {
        const float p = probability(scores.at[i][j], rows[i], first_query + i * kRowStep,
                                    key + lane_column() + j * kRowLanes, band);
        const float factor = drawn_factor(weights, i, j, band);
        scores.at[i][j] = score_gradient(p, factor, dp.at[i][j], rows[i], band);
      }
    }
    store_weights(weights, scores);
    __syncwarp();
    add_weighted(sums, weights, keys);
  }
  store_rows(dq, place, sums, accumulate, band);
}

template <int size>
__global__ static void __launch_bounds__(kTileThreads, blocks_per_sm(4, size, 6))
    key_value_gradient_kernel(float* dk, bool add_dk, float* dv, bool add_dv, BackwardInputs in,
                              Band band) {
  DSF_SHARED(QueryRow, rows, kTile);
  float* const keys = shared_tile<size>(0);
  float* const values = shared_tile<size>(1);
  float* const queries = shared_tile<size>(2);
  float* const gradients = shared_tile<size>(3);
  float* const weights = shared_tile<size>(4);
  const TilePlace place(band, kTile);
  load_tiles<size>({{keys, in.k}, {values, in.v}}, place, place.begin, band);

  RowSums<size> key_sums{}, value_sums{};
  const int last_query = min(band.length, place.begin + kTile + band.lookback) - 1;
  for (int query = place.begin; query <= last_query; query += kTile) {
    __syncthreads();  // the tiles before have been read
    load_tiles<size>({{queries, in.q}, {gradients, in.dy}}, place, query, band);
    if (threadIdx.x < kTile) {
      const int row = static_cast<int>(threadIdx.x);
      const float* const saved = in.softmax + 3 * (place.first_row + query + row);
      rows[row] = query + row < band.length ? QueryRow{saved[0], saved[1], saved[2]} : QueryRow{};
    }
    draw_factors<Rows::keys>(weights, place, query, band);
    __syncthreads();
    Products scores = products<size>(keys, queries), p_f;
    const Products dp = products<size>(values, gradients);
    for (int j = 0; j < kLaneColumns; ++j) {
      const int column = lane_column() + j * kRowLanes;
      const QueryRow row = rows[column];
      for (int i = 0; i < kLaneRows; ++i) {
        const float p = probability(scores.at[i][j], row, query + column,
                                    place.begin + lane_row() + i * kRowStep, band);
        const float factor = drawn_factor(weights, i, j, band);
        p_f.at[i][j] = p * factor;
        scores.at[i][j] = score_gradient(p, factor, dp.at[i][j], row, band);
      }
    }
    store_weights(weights, p_f);
    __syncwarp();
    add_weighted(value_sums, weights, gradients);
    __syncwarp();
    store_weights(weights, scores);
    __syncwarp();
    add_weighted(key_sums, weights, queries);
  }
  store_rows(dk, place, key_sums, add_dk, band);
  store_rows(dv, place, value_sums, add_dv, band);
}

void attention_backward(const Context& ctx, Gradient dq, Gradient dk, Gradient dv, ConstTensor dy,
                        ConstTensor y, Tensor softmax, ConstTensor q, ConstTensor k, ConstTensor v,
                        int64_t heads, int64_t lookback, const DropoutStream& dropout) {
  const Band band(
      q, heads, lookback, dropout,
      {dq.tensor.data, dk.tensor.data, dv.tensor.data, dy.data, y.data, q.data, k.data, v.data});
  if (rounds_attention(ctx, band)) {
    attention_backward_rounded(ctx, band, dq, dk, dv, dy, y, softmax, q, k, v);
    return;
  }
  const BackwardInputs in{dy.data, y.data, softmax.data, q.data, k.data, v.data};
  const int padded = padded_head_size(band.head_size);
  const int64_t blocks = tile_blocks(band, q.dim(0), kTile);
  launch(for_head_size(padded, query_gradient_kernel<32>, query_gradient_kernel<64>,
                       query_gradient_kernel<96>, query_gradient_kernel<128>),
         blocks, kTileThreads, tile_bytes(4, padded), stream_of(ctx), dq.tensor.data,
         dq.mode == GradientMode::accumulate, in, band);
  launch(for_head_size(padded, key_value_gradient_kernel<32>, key_value_gradient_kernel<64>,
                       key_value_gradient_kernel<96>, key_value_gradient_kernel<128>),
         blocks, kTileThreads, tile_bytes(4, padded), stream_of(ctx), dk.tensor.data,
         dk.mode == GradientMode::accumulate, dv.tensor.data, dv.mode == GradientMode::accumulate,
         in, band);
}

}  // namespace dsf::cuda
