// Queries are taken in tiles of kTile rows. The keys that a tile sees are one contiguous run of at
// most lookback + kTile, so scores, probabilities and all gradients are small dense matrix products
// over strided views of q, k, v; what the mask excludes inside a tile is set to zero.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/common/vector_math.h"
#include "kernels/onednn/matmul.h"

namespace dsf::cpu {

using onednn::matmul;
using onednn::Transpose;

namespace {

// Large enough that a product is worth its call, small enough that little is masked: at
// lookback 172, 32 rows compute 204 columns of which 173 count.
constexpr int64_t kTile = 32;

// Rows of scores are worked on in whole vectors: what the mask excludes at a vector's ends is −∞,
// whose probability is 0.
constexpr int64_t kVector = 16;
constexpr float kExcluded = -std::numeric_limits<float>::infinity();

int64_t in_vectors(int64_t count) {
  return (count + kVector - 1) / kVector * kVector;
}

/// One head of one sequence, and how its band is cut.
struct Head {
  int64_t length, embed, size, lookback;
  int64_t offset;     // of its first element in q, k, v, y
  int64_t first_row;  // of its rows in softmax, and of its dropout rows
  float scale;

  Head(ConstTensor q, int64_t heads, int64_t band, int64_t index)
      : length(q.dim(1)),
        embed(q.dim(2)),
        size(embed / heads),
        lookback(band),
        offset(index / heads * length * embed + index % heads * size),
        first_row(index * length),
        scale(1.0F / std::sqrt(static_cast<float>(size))) {}
};

/// Query rows begin … begin+rows−1 and the keys they see, first_key … first_key+keys−1; `stride`
/// lies between rows of their scores.
struct Tile {
  int64_t begin, rows, first_key, keys, stride;

  Tile(const Head& head, int64_t index)
      : begin(index * kTile),
        rows(std::min(kTile, head.length - begin)),
        first_key(std::max<int64_t>(0, begin - head.lookback)),
        keys(begin + rows - first_key),
        stride(in_vectors(keys)) {}
};

/// The vectors that hold all that a row sees: columns begin … begin+count−1, of which the first
/// `before` and the last `behind` are excluded.
struct Seen {
  int64_t begin, count, before, behind;

  Seen(const Head& head, const Tile& tile, int64_t r) {
    const int64_t row = tile.begin + r;
    const int64_t from = std::max<int64_t>(0, row - head.lookback) - tile.first_key;
    const int64_t end = row + 1 - tile.first_key;
    begin = from / kVector * kVector;
    count = in_vectors(end) - begin;
    before = from - begin;
    behind = begin + count - end;
  }

  /// Sets what the row does not see to 0, but in these vectors to `excluded`.
  void mask(float* row, int64_t stride, float excluded) const {
    std::fill(row, row + begin, 0.0F);
    std::fill_n(row + begin, before, excluded);
    std::fill_n(row + begin + count - behind, behind, excluded);
    std::fill(row + begin + count, row + stride, 0.0F);
  }
};

int64_t tile_count(int64_t length) {
  return (length + kTile - 1) / kTile;
}

/// A thread's working memory: grown to the largest tile once, then reused by every call.
struct Scratch {
  std::vector<float> scores, gradients, factors;

  void reserve(int64_t keys) {
    const auto size = static_cast<size_t>(kTile * in_vectors(keys));
    if (scores.size() >= size) return;
    scores.resize(size);
    gradients.resize(size);
    factors.resize(size / kTile);
  }
};

Scratch& thread_scratch(int64_t keys) {
  thread_local Scratch scratch;
  scratch.reserve(keys);
  return scratch;
}

/// The dropout factors of all that row `r` sees, in `seen`'s vectors; 0 where it is excluded.
void draw_factors(const Head& head, const Tile& tile, int64_t r, const Seen& seen,
                  const DropoutStream& dropout, float* factors) {
  const int64_t row = tile.begin + r, first_key = tile.first_key + seen.begin + seen.before;
  const int64_t index =
      (head.first_row + row) * (head.lookback + 1) + first_key - row + head.lookback;
  const int64_t end = seen.count - seen.behind;
  std::fill_n(factors, seen.before, 0.0F);
  dropout_factors(dropout, static_cast<uint64_t>(index), end - seen.before, factors + seen.before);
  std::fill_n(factors + end, seen.behind, 0.0F);
}

}  // namespace

/// Scaled softmax of a row in place. Saves what backward needs, unless `saved` is null.
DSF_MULTIVERSION static void softmax_row(float* row, int64_t count, float scale, float* saved) {
  float largest = row[0];
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < count; ++j) largest = row[j] > largest ? row[j] : largest;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    row[j] = fast_exp((row[j] - largest) * scale);
    sum += row[j];
  }
  const float inverse = 1.0F / sum;
  for (int64_t j = 0; j < count; ++j) row[j] *= inverse;
  if (saved) {
    saved[0] = largest;
    saved[1] = inverse;
  }
}

DSF_MULTIVERSION static void multiply(float* row, const float* factors, int64_t count) {
  for (int64_t j = 0; j < count; ++j) row[j] *= factors[j];
}

static void forward_tile(const Head& head, const Tile& tile, const DropoutStream& dropout, float* y,
                         float* softmax, const float* q, const float* k, const float* v) {
  const int64_t e = head.embed;
  const float* keys = k + head.offset + tile.first_key * e;
  const float* values = v + head.offset + tile.first_key * e;
  Scratch& scratch = thread_scratch(tile.keys);
  float* scores = scratch.scores.data();
  matmul(Transpose::no, Transpose::yes, tile.rows, tile.keys, head.size,
         q + head.offset + tile.begin * e, e, keys, e, 0.0F, scores, tile.stride);
  for (int64_t r = 0; r < tile.rows; ++r) {
    const Seen seen(head, tile, r);
    float* row = scores + r * tile.stride;
    seen.mask(row, tile.stride, kExcluded);
    softmax_row(row + seen.begin, seen.count, head.scale,
                softmax + 3 * (head.first_row + tile.begin + r));
    if (dropout.active()) {
      draw_factors(head, tile, r, seen, dropout, scratch.factors.data());
      multiply(row + seen.begin, scratch.factors.data(), seen.count);
    }
  }
  matmul(Transpose::no, Transpose::no, tile.rows, head.size, tile.keys, scores, tile.stride, values,
         e, 0.0F, y + head.offset + tile.begin * e, e);
}

void attention_forward(const Context&, Tensor y, Tensor softmax, ConstTensor q, ConstTensor k,
                       ConstTensor v, int64_t heads, int64_t lookback,
                       const DropoutStream& dropout) {
  const int64_t tiles = tile_count(q.dim(1));
  parallel_for(q.dim(0) * heads * tiles, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Head head(q, heads, lookback, i / tiles);
      forward_tile(head, Tile(head, i % tiles), dropout, y.data, softmax.data, q.data, k.data,
                   v.data);
    }
  });
}

/// From a row of scores s and of dp = dy·vᵀ: scores become p∘f, dp becomes p∘(f∘dp − d)·scale.
/// `factors` may be null (all 1).
DSF_MULTIVERSION static void backward_row(float* scores, float* dp, const float* factors,
                                          int64_t count, float scale, const float* softmax,
                                          float d) {
  const float largest = softmax[0], inverse = softmax[1];
  for (int64_t j = 0; j < count; ++j) {
    const float factor = factors ? factors[j] : 1.0F;
    const float p = fast_exp((scores[j] - largest) * scale) * inverse;
    dp[j] = p * (factor * dp[j] - d) * scale;
    scores[j] = p * factor;
  }
}

DSF_MULTIVERSION static float dot(const float* a, const float* b, int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

namespace {

/// What backward reads and writes, as plain pointers to whole tensors.
struct Backward {
  Gradient dq, dk, dv;
  const float *dy, *y, *softmax, *q, *k, *v;
};

}  // namespace

static void backward_tile(const Head& head, const Tile& tile, const DropoutStream& dropout,
                          const Backward& t) {
  const int64_t e = head.embed, rows = tile.rows, keys = tile.keys, stride = tile.stride;
  const int64_t query_at = head.offset + tile.begin * e;
  const int64_t key_at = head.offset + tile.first_key * e;
  Scratch& scratch = thread_scratch(keys);
  float* scores = scratch.scores.data();
  float* dp = scratch.gradients.data();
  matmul(Transpose::no, Transpose::yes, rows, keys, head.size, t.q + query_at, e, t.k + key_at, e,
         0.0F, scores, stride);
  matmul(Transpose::no, Transpose::yes, rows, keys, head.size, t.dy + query_at, e, t.v + key_at, e,
         0.0F, dp, stride);
  for (int64_t r = 0; r < rows; ++r) {
    const Seen seen(head, tile, r);
    seen.mask(scores + r * stride, stride, kExcluded);
    seen.mask(dp + r * stride, stride, 0.0F);
    if (dropout.active()) draw_factors(head, tile, r, seen, dropout, scratch.factors.data());
    const int64_t at = query_at + r * e;
    backward_row(scores + r * stride + seen.begin, dp + r * stride + seen.begin,
                 dropout.active() ? scratch.factors.data() : nullptr, seen.count, head.scale,
                 t.softmax + 3 * (head.first_row + tile.begin + r),
                 dot(t.dy + at, t.y + at, head.size));
  }
  matmul(Transpose::no, Transpose::no, rows, head.size, keys, dp, stride, t.k + key_at, e,
         t.dq.keep(), t.dq.tensor.data + query_at, e);
  matmul(Transpose::yes, Transpose::no, keys, head.size, rows, dp, stride, t.q + query_at, e, 1.0F,
         t.dk.tensor.data + key_at, e);
  matmul(Transpose::yes, Transpose::no, keys, head.size, rows, scores, stride, t.dy + query_at, e,
         1.0F, t.dv.tensor.data + key_at, e);
}

void attention_backward(const Context&, Gradient dq, Gradient dk, Gradient dv, ConstTensor dy,
                        ConstTensor y, Tensor softmax, ConstTensor q, ConstTensor k, ConstTensor v,
                        int64_t heads, int64_t lookback, const DropoutStream& dropout) {
  const Backward tensors{dq, dk, dv, dy.data, y.data, softmax.data, q.data, k.data, v.data};
  // A head belongs to one thread, which adds tile after tile to its keys' and values' gradients.
  parallel_for(q.dim(0) * heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Head head(q, heads, lookback, i);
      for (const Gradient& gradient : {dk, dv}) {
        if (gradient.mode == GradientMode::accumulate) continue;
        for (int64_t t = 0; t < head.length; ++t) {
          std::fill_n(gradient.tensor.data + head.offset + t * head.embed, head.size, 0.0F);
        }
      }
      for (int64_t tile = 0; tile < tile_count(head.length); ++tile) {
        backward_tile(head, Tile(head, tile), dropout, tensors);
      }
    }
  });
}

DSF_MULTIVERSION static void add_scaled(float* __restrict y, const float* __restrict x, float scale,
                                        int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += scale * x[i];
}

void attention_step_heads(Tensor y, ConstTensor q, ConstTensor keys, ConstTensor values,
                          Counter frame, int64_t heads, int64_t begin, int64_t end) {
  const int64_t count = std::min(frame.value + 1, keys.dim(0));
  const int64_t e = q.cols(), size = e / heads, stride = q.rows() * e;
  const float scale = 1.0F / std::sqrt(static_cast<float>(size));
  const auto attend = [&](int64_t offset) {  // one head of one stream
    std::vector<float>& scores = thread_scratch(keys.dim(0) / kTile + 1).scores;
    for (int64_t w = 0; w < count; ++w) {
      scores[static_cast<size_t>(w)] = dot(q.data + offset, keys.data + w * stride + offset, size);
    }
    softmax_row(scores.data(), count, scale, nullptr);
    std::fill_n(y.data + offset, size, 0.0F);
    for (int64_t w = 0; w < count; ++w) {
      add_scaled(y.data + offset, values.data + w * stride + offset, scores[static_cast<size_t>(w)],
                 size);
    }
  };
  for (int64_t i = begin; i < end; ++i) attend(i * size);
}

void attention_step_forward(const Context&, Tensor y, ConstTensor q, ConstTensor keys,
                            ConstTensor values, Counter frame, int64_t heads) {
  const int64_t count = std::min(frame.value + 1, keys.dim(0)), size = q.cols() / heads;
  parallel_for(q.rows() * heads, 16384 / (count * size) + 1, [&](int64_t begin, int64_t end) {
    attention_step_heads(y, q, keys, values, frame, heads, begin, end);
  });
}

}  // namespace dsf::cpu
