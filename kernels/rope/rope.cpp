#include "kernels/rope/rope.h"

#include <cmath>

namespace dsf {
namespace {

void check(ConstTensor y, ConstTensor x, int64_t heads, ConstTensor first, ConstTensor second) {
  DSF_CHECK(y.shape == x.shape && x.rank() == 3, "y {}, x {}", y.shape.str(), x.shape.str());
  DSF_CHECK(heads > 0 && x.dim(2) % heads == 0, "{} heads of {}", heads, x.shape.str());
  const Shape table{x.dim(1), x.dim(2) / heads / 2};
  DSF_CHECK(first.shape == table && second.shape == table, "tables {} and {}, expected {}",
            first.shape.str(), second.shape.str(), table.str());
}

void check_tables(ConstTensor first, ConstTensor second, int64_t planes) {
  DSF_CHECK(first.shape == second.shape && first.rank() == 2 && first.dim(1) == planes,
            "tables {} and {} for {} planes", first.shape.str(), second.shape.str(), planes);
}

}  // namespace

void rope_forward(const Context& ctx, Tensor y, ConstTensor x, int64_t heads, ConstTensor first,
                  ConstTensor second) {
  check(y, x, heads, first, second);
  DSF_DISPATCH(rope_forward, ctx, y, x, heads, first, second);
}

void rope_backward(const Context& ctx, Gradient dx, ConstTensor dy, int64_t heads,
                   ConstTensor first, ConstTensor second) {
  check(dx.tensor, dy, heads, first, second);
  DSF_DISPATCH(rope_backward, ctx, dx, dy, heads, first, second);
}

void rope_embedding_tables(Tensor first, Tensor second, int64_t embed_size) {
  const int64_t planes = embed_size / 2;
  check_tables(first, second, planes);
  for (int64_t i = 0; i < planes; ++i) {
    const float exponent = static_cast<float>(i - i % 2) / static_cast<float>(planes);
    const float frequency = 1.0F / std::pow(10000.0F, exponent);
    for (int64_t t = 0; t < first.dim(0); ++t) {
      const float angle = static_cast<float>(t) * frequency;
      first.row(t)[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
      second.row(t)[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    }
  }
}

void rope_head_tables(const Context& ctx, Tensor first, Tensor second, Counter first_position,
                      int64_t head_size) {
  check_tables(first, second, head_size / 2);
  DSF_DISPATCH(rope_head_tables, ctx, first, second, first_position, head_size);
}

}  // namespace dsf
