#include "kernels/stored_linear/stored_linear.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/common/bfloat16.h"
#include "kernels/linear/linear.h"
#include "kernels/relu/relu.h"

namespace dsf {
namespace {

/// A row as integers; returns its factor.
float to_int8(int8_t* to, const float* row, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(row[i])) fail("a weight is {}, which int8 cannot hold", row[i]);
    largest = std::max(largest, std::abs(row[i]));
  }
  const float scale = largest / 127;
  for (int64_t i = 0; i < count; ++i) {
    // A factor may have been rounded down to a denormal number.
    const float integer = scale > 0 ? std::nearbyint(row[i] / scale) : 0.0F;
    to[i] = static_cast<int8_t>(std::clamp(integer, -127.0F, 127.0F));
  }
  return scale;
}

void check(const Context& ctx, ConstTensor y, ConstTensor x, const WeightMatrix& w, ConstTensor b) {
  DSF_CHECK(w.cols == x.cols(), "w {} over x {}", w.shape().str(), x.shape.str());
  DSF_CHECK(y.cols() == w.rows && y.rows() == x.rows(), "y {} from x {}, w {}", y.shape.str(),
            x.shape.str(), w.shape().str());
  DSF_CHECK(!b || (b.rank() == 1 && b.dim(0) == w.rows), "b {} for w {}", b.shape.str(),
            w.shape().str());
  DSF_CHECK(ctx.device == Device::cpu, "weights in {} on a GPU", name_of(w.format));
}

}  // namespace

StoredWeights::StoredWeights(WeightFormat format, ConstTensor w)
    : format_(format), shape_(w.shape) {
  DSF_CHECK(w.rank() == 2, "weights {}", w.shape.str());
  const auto size = static_cast<size_t>(w.size());
  switch (format) {
    case WeightFormat::fp32:
      numbers_.resize(2 * size);
      std::memcpy(numbers_.data(), w.data, size * sizeof(float));
      break;
    case WeightFormat::bf16:
      numbers_.resize(size);
      for (size_t i = 0; i < size; ++i) numbers_[i] = to_bf16(w.data[i]);
      break;
    case WeightFormat::int8:
      numbers_.resize((size + 1) / 2);
      for (int64_t row = 0; row < w.dim(0); ++row) {
        auto* const to = reinterpret_cast<int8_t*>(numbers_.data()) + row * w.dim(1);
        scales_.push_back(to_int8(to, w.row(row), w.dim(1)));
      }
  }
}

WeightMatrix StoredWeights::matrix() const {
  return {format_, numbers_.data(), scales_.empty() ? nullptr : scales_.data(), shape_};
}

std::vector<float> StoredWeights::floats() const {
  std::vector<float> values(static_cast<size_t>(shape_.size()));
  const auto* const integers = reinterpret_cast<const int8_t*>(numbers_.data());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t row = i / static_cast<size_t>(shape_[1]);
    if (format_ == WeightFormat::bf16) {
      values[i] = from_bf16(numbers_[i]);
    } else if (format_ == WeightFormat::int8) {
      values[i] = static_cast<float>(integers[i]) * scales_[row];
    }
  }
  if (format_ == WeightFormat::fp32) {
    std::memcpy(values.data(), numbers_.data(), values.size() * sizeof(float));
  }
  return values;
}

void stored_linear_forward(const Context& ctx, Tensor y, ConstTensor x, const WeightMatrix& w,
                           ConstTensor b) {
  if (w.format == WeightFormat::fp32) return linear_forward(ctx, y, x, w.floats(), b);
  check(ctx, y, x, w, b);
  const ProfileRange range("stored_linear_forward");
  cpu::stored_linear_forward(ctx, y, x, w, b);
}

void stored_linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, const WeightMatrix& w,
                                ConstTensor b) {
  if (w.format == WeightFormat::fp32) return linear_relu_forward(ctx, y, x, w.floats(), b);
  stored_linear_forward(ctx, y, x, w, b);
  relu_forward(ctx, y, y);
}

}  // namespace dsf
