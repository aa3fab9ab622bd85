#pragma once
// Weights of a product as they lie in memory: what a generated frame costs is to read them.
#include <cstdint>
#include <string_view>

#include "kernels/common/bfloat16.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// float32; bf16; or integers of eight bits and a factor for each row.
enum class WeightFormat { fp32, bf16, int8 };

std::string_view name_of(WeightFormat format);
/// Of a number.
int64_t bytes_of(WeightFormat format);
/// A UsageError for another name, which says that it is the value of `option`.
WeightFormat parse_weight_format(std::string_view name, std::string_view option);

// What a stored number is, but for a row's factor.
DSF_INLINE float to_float(float number) {
  return number;
}
DSF_INLINE float to_float(uint16_t bf16) {
  return from_bf16(bf16);
}
DSF_INLINE float to_float(int8_t integer) {
  return static_cast<float>(integer);
}

/// A view of a matrix [rows, cols] in some format. Of float32 it is a ConstTensor.
struct WeightMatrix {
  WeightFormat format = WeightFormat::fp32;
  const void* data = nullptr;     // rows · cols numbers
  const float* scales = nullptr;  // [rows] of int8: a weight is its integer times its row's
  int64_t rows = 0, cols = 0;

  WeightMatrix() = default;
  WeightMatrix(WeightFormat stored, const void* numbers, const float* factors, Shape shape)
      : format(stored), data(numbers), scales(factors), rows(shape[0]), cols(shape[1]) {}
  template <class T>
  WeightMatrix(const TensorView<T>& w)
      : WeightMatrix(WeightFormat::fp32, w.data, nullptr, {w.dim(0), w.dim(1)}) {
    DSF_CHECK(w.rank() == 2, "weights {}", w.shape.str());
  }

  Shape shape() const { return {rows, cols}; }
  /// What there is of float32.
  ConstTensor floats() const {
    DSF_CHECK(format == WeightFormat::fp32, "weights in {}, not in fp32", name_of(format));
    return {static_cast<const float*>(data), shape()};
  }
  /// Rows first … first + count − 1.
  WeightMatrix slice(int64_t first, int64_t count) const;
};

}  // namespace dsf
