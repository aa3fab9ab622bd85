#pragma once
// The norm's arithmetic on a row, for its own kernels and those that are fused with it: a warp to a
// row.
#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "kernels/layernorm/layernorm.h"

namespace dsf::cuda {

inline constexpr int kNormRows = 4;  // of a block
inline constexpr int kNormThreads = kNormRows * kWarpSize;

inline Grid norm_blocks(int64_t rows, CodeLine where = CodeLine::here()) {
  return {divide_up(rows, kNormRows), where};
}

/// This warp's row; it may lie behind the last.
__device__ inline int64_t norm_row() {
  return int64_t{blockIdx.x} * kNormRows + threadIdx.x / kWarpSize;
}

/// Calls body(first of `width` columns) for this lane's share of a row.
template <int width, class Body>
__device__ void for_columns(int cols, const Body& body) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int i = lane * width; i < cols; i += kWarpSize * width) body(i);
}

/// y = (x − mean)·rstd·weight + bias of one row, and its mean and rstd. A lane reads no element of
/// x but those of its own share.
template <int width>
__device__ void normalise_row(float* y, float& mean, float& rstd, const float* x,
                              const float* weight, const float* bias, int cols) {
  const float scale = 1.0F / static_cast<float>(cols);
  float sum = 0;
  for_columns<width>(cols, [&](int i) {
    const Vector<width> values = load<width>(x + i);
    for (int k = 0; k < width; ++k) sum += values[k];
  });
  const float m = warp_sum(sum) * scale;

  float squares = 0;
  for_columns<width>(cols, [&](int i) {
    const Vector<width> values = load<width>(x + i);
    for (int k = 0; k < width; ++k) squares += (values[k] - m) * (values[k] - m);
  });
  const float s = 1.0F / sqrtf(warp_sum(squares) * scale + static_cast<float>(kLayerNormEpsilon));

  for_columns<width>(cols, [&](int i) {
    Vector<width> values = load<width>(x + i);
    for (int k = 0; k < width; ++k) values[k] = (values[k] - m) * s;
    if (weight) {
      const Vector<width> w = load<width>(weight + i), b = load<width>(bias + i);
      for (int k = 0; k < width; ++k) values[k] = values[k] * w[k] + b[k];
    }
    store(y + i, values);
  });
  if (threadIdx.x % kWarpSize == 0) {
    mean = m;
    rstd = s;
  }
}

/// Calls give(column, dx of the `width` columns from it on) for this lane's share of a row, of
/// which it then has read dy and x.
template <int width, class Give>
__device__ void norm_gradient_row(const float* dy, const float* x, float mean, float rstd,
                                  const float* weight, int cols, const Give& give) {
  /// g = dy·weight and n = (x − mean)·rstd of columns i … i+width−1.
  const auto read = [&](int i, Vector<width>& g, Vector<width>& n) {
    g = load<width>(dy + i);
    n = load<width>(x + i);
    for (int k = 0; k < width; ++k) n[k] = (n[k] - mean) * rstd;
    if (!weight) return;
    const Vector<width> w = load<width>(weight + i);
    for (int k = 0; k < width; ++k) g[k] *= w[k];
  };

  Vector<width> g, n;
  float sum = 0, projection = 0;
  for_columns<width>(cols, [&](int i) {
    read(i, g, n);
    for (int k = 0; k < width; ++k) {
      sum += g[k];
      projection += g[k] * n[k];
    }
  });
  const float scale = 1.0F / static_cast<float>(cols);
  const float a = warp_sum(sum) * scale, b = warp_sum(projection) * scale;

  for_columns<width>(cols, [&](int i) {
    read(i, g, n);
    for (int k = 0; k < width; ++k) g[k] = rstd * (g[k] - a - n[k] * b);
    give(i, g);
  });
}

}  // namespace dsf::cuda
