#include <cmath>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/rope/rope.h"

namespace dsf::cpu {

namespace {

enum class Turn { forward, back };

/// Where the rotated values go, and how.
struct Rotation {
  float* y;
  float keep;  // 1: added to what is there
  const float* x;
  const float* first;
  const float* second;
  int64_t length, heads, head_size;
};

}  // namespace

template <Turn turn>
static DSF_INLINE void rotate_head(float* y, float keep, const float* x, const float* first,
                                   const float* second, int64_t head_size) {
  const int64_t planes = head_size / 2;
#pragma omp simd  // y may be x: a plane is read before it is written, and by itself only
  for (int64_t i = 0; i < planes; ++i) {
    const float a = x[i], b = x[i + planes];
    const float c = first[i], s = turn == Turn::forward ? second[i] : -second[i];
    const float turned_a = a * c - b * s, turned_b = a * s + b * c;
    y[i] = keep != 0.0F ? y[i] + turned_a : turned_a;
    y[i + planes] = keep != 0.0F ? y[i + planes] + turned_b : turned_b;
  }
  if (head_size % 2 != 0) {
    const int64_t last = head_size - 1;
    y[last] = keep != 0.0F ? y[last] + x[last] : x[last];
  }
}

template <Turn turn>
static DSF_INLINE void rotate_positions(const Rotation& r, int64_t begin, int64_t end) {
  const int64_t planes = r.head_size / 2, embed = r.heads * r.head_size;
  for (int64_t position = begin; position < end; ++position) {
    const int64_t t = position % r.length;
    for (int64_t head = 0; head < r.heads; ++head) {
      const int64_t at = position * embed + head * r.head_size;
      rotate_head<turn>(r.y + at, r.keep, r.x + at, r.first + t * planes, r.second + t * planes,
                        r.head_size);
    }
  }
}

DSF_MULTIVERSION static void rotate(const Rotation& r, Turn turn, int64_t begin, int64_t end) {
  if (turn == Turn::forward) {
    rotate_positions<Turn::forward>(r, begin, end);
  } else {
    rotate_positions<Turn::back>(r, begin, end);
  }
}

static void rotate_all(const Rotation& r, Turn turn, int64_t positions) {
  const int64_t grain = 8192 / (r.heads * r.head_size) + 1;
  parallel_for(positions, grain, [&](int64_t begin, int64_t end) { rotate(r, turn, begin, end); });
}

void rope_forward(const Context&, Tensor y, ConstTensor x, int64_t heads, ConstTensor first,
                  ConstTensor second) {
  rotate_all({y.data, 0.0F, x.data, first.data, second.data, x.dim(1), heads, x.dim(2) / heads},
             Turn::forward, x.rows());
}

void rope_backward(const Context&, Gradient dx, ConstTensor dy, int64_t heads, ConstTensor first,
                   ConstTensor second) {
  rotate_all({dx.tensor.data, dx.keep(), dy.data, first.data, second.data, dy.dim(1), heads,
              dy.dim(2) / heads},
             Turn::back, dy.rows());
}

void rope_head_tables(const Context&, Tensor first, Tensor second, Counter first_position,
                      int64_t head_size) {
  const int64_t planes = head_size / 2;
  for (int64_t i = 0; i < planes; ++i) {
    const double frequency =
        std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(planes));
    for (int64_t t = 0; t < first.dim(0); ++t) {
      const double angle = static_cast<double>(first_position.value + t) * frequency;
      first.row(t)[i] = static_cast<float>(std::cos(angle));
      second.row(t)[i] = static_cast<float>(std::sin(angle));
    }
  }
}

}  // namespace dsf::cpu
