#pragma once
// Non-owning views of dense row-major tensors of up to four dimensions.
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "kernels/common/checks.h"

namespace dsf {

/// The extents of a tensor, outermost first.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    DSF_CHECK(dims.size() <= kMaxRank, "rank {}, at most {}", dims.size(), kMaxRank);
    for (int64_t dim : dims) dims_[static_cast<size_t>(rank_++)] = dim;
  }

  int rank() const { return rank_; }
  /// The extent of axis `axis`; negative axes count from the end.
  int64_t operator[](int axis) const {
    return dims_[static_cast<size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  int64_t size() const {
    int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
    return product;
  }
  bool operator==(const Shape&) const = default;
  std::string str() const {
    std::string text = "[";
    for (int axis = 0; axis < rank_; ++axis) {
      text += (axis ? ", " : "") + std::to_string((*this)[axis]);
    }
    return text + "]";
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// A view of `shape.size()` contiguous elements; an empty view (data == nullptr) means "absent".
template <class T>
struct TensorView {
  T* data = nullptr;
  Shape shape;

  TensorView() = default;
  TensorView(T* elements, Shape extents) : data(elements), shape(extents) {}
  /// A view of mutable elements converts to one of constant elements.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_same_v<U, T>)
      TensorView(const TensorView<U>& other)
      : data(other.data), shape(other.shape) {}

  explicit operator bool() const { return data != nullptr; }
  int64_t size() const { return data ? shape.size() : 0; }
  int rank() const { return shape.rank(); }
  int64_t dim(int axis) const { return shape[axis]; }
  /// The last extent, and the product of all others: the tensor seen as a matrix.
  int64_t cols() const { return shape[-1]; }
  int64_t rows() const { return cols() == 0 ? 0 : size() / cols(); }
  T* row(int64_t index) const { return data + index * cols(); }
  T& operator[](int64_t index) const { return data[index]; }
  TensorView reshaped(Shape extents) const {
    DSF_CHECK(extents.size() == shape.size(), "{} as {}", shape.str(), extents.str());
    return {data, extents};
  }
  /// Entries begin … begin+count−1 of the outermost axis.
  TensorView slice(int64_t begin, int64_t count) const {
    DSF_CHECK(begin >= 0 && count >= 0 && begin + count <= shape[0], "[{}, {}) of {}", begin,
              begin + count, shape.str());
    const int64_t stride = shape[0] == 0 ? 0 : shape.size() / shape[0];
    Shape extents;
    switch (rank()) {
      case 1:
        extents = {count};
        break;
      case 2:
        extents = {count, shape[1]};
        break;
      case 3:
        extents = {count, shape[1], shape[2]};
        break;
      default:
        extents = {count, shape[1], shape[2], shape[3]};
        break;
    }
    return {data + begin * stride, extents};
  }
};

using Tensor = TensorView<float>;
using ConstTensor = TensorView<const float>;
using IndexTensor = TensorView<int32_t>;
using ConstIndexTensor = TensorView<const int32_t>;

/// What a backward does with the gradient it computes.
enum class GradientMode { overwrite, accumulate };

/// Where a backward puts a gradient, and whether it replaces or adds to what is there. An empty
/// one (`Gradient{}`) is not wanted and costs nothing.
struct Gradient {
  Tensor tensor;
  GradientMode mode = GradientMode::overwrite;

  explicit operator bool() const { return static_cast<bool>(tensor); }
  /// 0 where the gradient replaces, 1 where it adds: the factor of the old value.
  float keep() const { return mode == GradientMode::accumulate ? 1.0F : 0.0F; }
};

inline Gradient overwrite(Tensor tensor) {
  return {tensor, GradientMode::overwrite};
}
inline Gradient accumulate(Tensor tensor) {
  return {tensor, GradientMode::accumulate};
}

}  // namespace dsf
