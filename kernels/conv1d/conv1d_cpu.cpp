// A convolution is one matrix product per tap (or, by minimal filtering, per point), added up in
// blocks of rows that stay in the second-level cache. On the machine this was written on that is as
// fast as oneDNN's convolution primitives where these are at their best, and faster at the
// dilations and channel counts where they are not; it needs no plan per length and no padded copy
// of x.
#include <algorithm>
#include <cmath>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv1d/minimal_filtering.h"
#include "kernels/onednn/bf16_matmul.h"
#include "kernels/onednn/matmul.h"
#include "kernels/snake/snake.h"

namespace dsf::cpu {

using onednn::matmul;
using onednn::Transpose;

void conv1d_prepare(const Context&, Tensor prepared, ConstTensor w) {
  const int64_t outputs = w.dim(0), inputs = w.dim(1), kernel = w.dim(2);
  const auto transpose = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t k = 0; k < kernel; ++k) {
          prepared[(k * inputs + i) * outputs + o] = w[(o * inputs + i) * kernel + k];
        }
      }
    }
  };
  parallel_for(inputs, std::max<int64_t>(1, 16384 / std::max<int64_t>(outputs * kernel, 1)),
               transpose);
}

DSF_MULTIVERSION static void start_row(float* __restrict y, const float* __restrict b,
                                       int64_t count, float keep) {
  for (int64_t c = 0; c < count; ++c) y[c] = keep != 0.0F ? y[c] + b[c] : b[c];
}

namespace {

/// How an output [length, outputs] is cut into tiles: by its shape alone, never by the number of
/// threads, so that no result depends on it. Rows of a tile stay near; a short
/// output is cut by columns as well, so that several cores find work.
struct Tiling {
  // 288 rows are 144 pairs of frames 1, 3 or 9 apart, whole groups of the eight rows that products
  // take at a time.
  static constexpr int64_t kRows = 288, kTiles = 16, kColumnUnit = 64;
  // Products of fewer columns are slower: of 64 rows and 768 inputs by a quarter at 64 columns.
  static constexpr int64_t kLeastColumns = 192;
  int64_t rows, row_tiles, column_tiles, columns;

  /// Of tiles as even as multiples of `unit` rows let them be.
  Tiling(int64_t length, int64_t outputs, int64_t unit) {
    const int64_t least = (length + kRows - 1) / kRows;
    rows = ((length + least - 1) / least + unit - 1) / unit * unit;
    row_tiles = (length + rows - 1) / rows;
    const int64_t wanted = (kTiles + row_tiles - 1) / row_tiles;
    const int64_t units = (outputs + kColumnUnit - 1) / kColumnUnit;
    columns = std::max((units + wanted - 1) / wanted * kColumnUnit, kLeastColumns);
    column_tiles = (outputs + columns - 1) / columns;
  }
  int64_t count() const { return row_tiles * column_tiles; }
};

/// One sequence of a convolution.
struct Convolution {
  float* y;
  const float* x;
  ConstTensor w;
  const float* b;  // may be null
  Conv1dSpec spec;
  int64_t frames, length;
  float keep;

  /// Frames begin … end−1 and channels first … first+count−1 of
  /// y = keep·y + b + Σ_k (rows of x under tap k)·w[k].
  void compute(int64_t begin, int64_t end, int64_t first, int64_t count) const {
    if (spec.minimal) {
      return filter_minimally(y, x, w, b, keep, spec, frames, begin, end, first, count);
    }
    start(begin, end, first, count);
    if (spec.bf16.w) return add_rounded(begin, end, first, count);
    const int64_t kernel = w.dim(0), inputs = w.dim(1), outputs = w.dim(2), stride = spec.stride;
    for (int64_t k = 0; k < kernel; ++k) {
      // Output frames t whose input t·stride + offset exists.
      const int64_t offset = k * spec.dilation - spec.padding;
      const int64_t from = std::max(begin, offset < 0 ? (-offset + stride - 1) / stride : 0);
      const int64_t to =
          offset >= frames ? from : std::min(end, (frames - 1 - offset) / stride + 1);
      if (from >= to) continue;
      matmul(Transpose::no, Transpose::no, to - from, count, inputs,
             x + (from * stride + offset) * inputs, stride * inputs,
             w.data + k * inputs * outputs + first, outputs, 1.0F, y + from * outputs + first,
             outputs);
    }
  }

 private:
  /// What sums are added to.
  void start(int64_t begin, int64_t end, int64_t first, int64_t count) const {
    const int64_t outputs = w.dim(2);
    for (int64_t t = begin; t < end; ++t) {
      float* row = y + t * outputs + first;
      if (b) {
        start_row(row, b + first, count, keep);
      } else if (keep == 0.0F) {
        std::fill_n(row, count, 0.0F);
      }
    }
  }

  /// Adds the products of rounded operands.
  void add_rounded(int64_t begin, int64_t end, int64_t first, int64_t count) const {
    const int64_t kernel = w.dim(0), inputs = w.dim(1), outputs = w.dim(2), stride = spec.stride;
    const auto* const taps = reinterpret_cast<const uint16_t*>(w.data) + first;
    const int64_t rows = (end - 1 - begin) * stride + (kernel - 1) * spec.dilation + 1;
    const uint16_t* const rounded =
        rounded_rows(x, frames, inputs, begin * stride - spec.padding, rows);
    for (int64_t k = 0; k < kernel; ++k) {
      onednn::bf16_matmul(end - begin, count, inputs, rounded + k * spec.dilation * inputs,
                          stride * inputs, taps + k * inputs * outputs, outputs,
                          y + begin * outputs + first, outputs);
    }
  }
};

/// What there is to do with a part of y once it is there: rows of neighbouring channels, from the
/// element `offset` and the channel `first`.
struct NothingElse {
  void operator()(int64_t, int64_t, int64_t, int64_t) const {}
};

/// Snake of y, while that is in the cache.
struct ThenSnake {
  Tensor activated, y;
  const float* alpha;
  void operator()(int64_t offset, int64_t rows, int64_t first, int64_t count) const {
    snake_rows(activated.data + offset, y.data + offset, alpha + first, rows, count, y.cols());
  }
};

}  // namespace

template <class Then>
static void convolve(Tensor y, ConstTensor x, ConstTensor w, ConstTensor b, const Conv1dSpec& spec,
                     float keep, const Then& then) {
  const int64_t frames = x.dim(1), length = y.dim(1), outputs = y.dim(2);
  const Tiling tiling(length, outputs, spec.minimal ? 2 * spec.dilation : 1);
  parallel_for(x.dim(0) * tiling.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / tiling.count(), tile = i % tiling.count();
      const Convolution sequence{y.data + n * length * outputs,
                                 x.data + n * frames * x.dim(2),
                                 w,
                                 b.data,
                                 spec,
                                 frames,
                                 length,
                                 keep};
      // Tiles of a row block follow each other: its rows of x are read from the cache.
      const int64_t row = tile / tiling.column_tiles * tiling.rows;
      const int64_t end_row = std::min(length, row + tiling.rows);
      const int64_t column = tile % tiling.column_tiles * tiling.columns;
      const int64_t columns = std::min(tiling.columns, outputs - column);
      sequence.compute(row, end_row, column, columns);
      then((n * length + row) * outputs + column, end_row - row, column, columns);
    }
  });
}

void conv1d_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                    const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 0.0F, NothingElse{});
}

void conv1d_add_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                        const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 1.0F, NothingElse{});
}

void conv1d_tanh_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                         const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 0.0F, NothingElse{});
  // The C library's tanh: exact near 0, where most of a sound is, and called once per sample only.
  parallel_for(y.size(), 2048, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = std::tanh(y[i]);
  });
}

void conv1d_snake_forward(const Context&, Tensor activated, ConstTensor x, ConstTensor w,
                          ConstTensor b, ConstTensor alpha, const Conv1dSpec& spec) {
  convolve(activated, x, w, b, spec, 0.0F, ThenSnake{activated, activated, alpha.data});
}

void conv1d_add_snake_forward(const Context&, Tensor y, Tensor activated, ConstTensor x,
                              ConstTensor w, ConstTensor b, ConstTensor alpha,
                              const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 1.0F, ThenSnake{activated, y, alpha.data});
}

}  // namespace dsf::cpu
