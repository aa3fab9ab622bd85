#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/residual/residual.h"

namespace dsf::cpu {

static constexpr int64_t kTile = 1024;  // factors drawn at a time, on the stack

/// y = x·factor (no factors: 1) + other (none: 0).
DSF_MULTIVERSION static void scale_and_add(float* y, const float* x, const float* factors,
                                           const float* other, int64_t count) {
  // y may be x or other, element by element: no iteration needs another's result.
  if (factors && other) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = x[i] * factors[i] + other[i];
  } else if (factors) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = x[i] * factors[i];
  } else if (other) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[i] = x[i] + other[i];
  } else if (y != x) {
    std::copy_n(x, count, y);
  }
}

/// y = dropout(x) + other over the whole of a tensor.
static void drop_and_add(float* y, const float* x, const float* other, int64_t size,
                         const DropoutStream& dropout) {
  const int64_t tiles = (size + kTile - 1) / kTile;
  parallel_for(tiles, 8, [&](int64_t begin, int64_t end) {
    float factors[kTile];
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t first = tile * kTile, count = std::min(kTile, size - first);
      if (dropout.active()) {
        dropout_factors(dropout, static_cast<uint64_t>(first), count, factors);
      }
      scale_and_add(y + first, x + first, dropout.active() ? factors : nullptr,
                    other ? other + first : nullptr, count);
    }
  });
}

void residual_forward(const Context&, Tensor y, ConstTensor branch, ConstTensor skip,
                      const DropoutStream& dropout) {
  drop_and_add(y.data, branch.data, skip.data, y.size(), dropout);
}

void residual_backward(const Context&, Gradient dbranch, Gradient dskip, ConstTensor dy,
                       const DropoutStream& dropout) {
  const auto give = [&](const Gradient& gradient, const DropoutStream& factors) {
    if (!gradient) return;
    float* out = gradient.tensor.data;
    const bool add = gradient.mode == GradientMode::accumulate;
    drop_and_add(out, dy.data, add ? out : nullptr, dy.size(), factors);
  };
  if (dbranch.tensor.data == dy.data) {  // what lies over dy is written last
    give(dskip, DropoutStream{});
    give(dbranch, dropout);
  } else {
    give(dbranch, dropout);
    give(dskip, DropoutStream{});
  }
}

}  // namespace dsf::cpu
