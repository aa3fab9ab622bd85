#include "engine/files/stored_tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/common/bfloat16.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read without byte swapping");

struct DTypeInfo {
  DType dtype;
  size_t size;
  std::string_view name;
};

constexpr std::array<DTypeInfo, 13> kDTypes = {{{DType::f16, 2, "F16"},
                                                {DType::bf16, 2, "BF16"},
                                                {DType::f32, 4, "F32"},
                                                {DType::f64, 8, "F64"},
                                                {DType::i8, 1, "I8"},
                                                {DType::u8, 1, "U8"},
                                                {DType::i16, 2, "I16"},
                                                {DType::u16, 2, "U16"},
                                                {DType::i32, 4, "I32"},
                                                {DType::u32, 4, "U32"},
                                                {DType::i64, 8, "I64"},
                                                {DType::u64, 8, "U64"},
                                                {DType::boolean, 1, "BOOL"}}};

constexpr bool indexed_by_dtype() {
  for (size_t i = 0; i < kDTypes.size(); ++i) {
    if (static_cast<size_t>(kDTypes[i].dtype) != i) return false;
  }
  return true;
}
static_assert(indexed_by_dtype());

const DTypeInfo& info(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)];
}

/// The bits of the 16-bit floating point types, which C++20 has no types for.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

float to_float(BFloat16 value) {
  return from_bf16(value.bits);
}

/// IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 bits of fraction.
float to_float(Half value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000U) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1FU;
  const uint32_t fraction = value.bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: fraction · 2⁻²⁴, exact in float
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide_exponent = exponent == 0x1FU ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
}

template <class T>
requires std::is_arithmetic_v<T>
float to_float(T value) {
  return static_cast<float>(value);
}

template <class T>
T element(const StoredTensor& tensor, size_t index) {
  T value;
  std::memcpy(&value, tensor.bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// Calls `visitor` with a value of the C++ type that holds an element.
template <class Visitor>
auto with_element_type(DType dtype, const Visitor& visitor) {
  switch (dtype) {
    case DType::f16:
      return visitor(Half{});
    case DType::bf16:
      return visitor(BFloat16{});
    case DType::f32:
      return visitor(float{});
    case DType::f64:
      return visitor(double{});
    case DType::i8:
      return visitor(int8_t{});
    case DType::i16:
      return visitor(int16_t{});
    case DType::u16:
      return visitor(uint16_t{});
    case DType::i32:
      return visitor(int32_t{});
    case DType::u32:
      return visitor(uint32_t{});
    case DType::i64:
      return visitor(int64_t{});
    case DType::u64:
      return visitor(uint64_t{});
    case DType::u8:
    case DType::boolean:  // a byte: any value but 0 is true, and a C++ bool must hold 0 or 1
      break;
  }
  return visitor(uint8_t{});
}

template <class T>
StoredTensor from_values(DType dtype, std::vector<int64_t> shape, std::span<const T> values) {
  const auto count = element_count(shape);
  if (!count || *count != values.size()) {
    fail("{} values do not fill a tensor of shape {}", values.size(), shape_text(shape));
  }
  StoredTensor tensor{dtype, std::move(shape), {}};
  const auto bytes = std::as_bytes(values);
  tensor.bytes.assign(bytes.begin(), bytes.end());
  return tensor;
}

}  // namespace

size_t dtype_size(DType dtype) {
  return info(dtype).size;
}

std::string_view dtype_name(DType dtype) {
  return info(dtype).name;
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DTypeInfo& known : kDTypes) {
    if (known.name == name) return known.dtype;
  }
  return std::nullopt;
}

std::optional<uint64_t> element_count(std::span<const int64_t> shape) {
  uint64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(extent), &count)) {
      return std::nullopt;
    }
  }
  return count;
}

std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape) {
  const auto count = element_count(shape);
  uint64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, uint64_t{dtype_size(dtype)}, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

TensorRef tensor_ref(const StoredTensor& tensor) {
  return {tensor.dtype, tensor.shape, tensor.bytes.data()};
}

std::vector<float> to_floats(const StoredTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.size()));
  with_element_type(tensor.dtype, [&](auto type) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = to_float(element<decltype(type)>(tensor, i));
    }
  });
  if (tensor.dtype == DType::boolean) {
    for (float& value : values) value = value != 0 ? 1.0F : 0.0F;
  }
  return values;
}

std::vector<int32_t> to_int32(const StoredTensor& tensor, std::string_view what) {
  std::vector<int32_t> values(static_cast<size_t>(tensor.size()));
  with_element_type(tensor.dtype, [&](auto type) {
    using T = decltype(type);
    if constexpr (!std::is_integral_v<T>) {
      fail("{}: expected integers, found elements of type {}", what, dtype_name(tensor.dtype));
    } else {
      for (size_t i = 0; i < values.size(); ++i) {
        const T value = element<T>(tensor, i);
        if (!std::in_range<int32_t>(value)) {
          fail("{}: element {} is {}, expected an integer of 32 bits", what, i, value);
        }
        values[i] = static_cast<int32_t>(value);
      }
    }
  });
  if (tensor.dtype == DType::boolean) {
    for (int32_t& value : values) value = value != 0 ? 1 : 0;
  }
  return values;
}

StoredTensor from_floats(std::vector<int64_t> shape, std::span<const float> values) {
  return from_values(DType::f32, std::move(shape), values);
}

StoredTensor from_floats_as_bf16(std::vector<int64_t> shape, std::span<const float> values) {
  std::vector<uint16_t> rounded(values.size());
  std::ranges::transform(values, rounded.begin(), to_bf16);
  return from_values(DType::bf16, std::move(shape), std::span<const uint16_t>(rounded));
}

StoredTensor from_int32(std::vector<int64_t> shape, std::span<const int32_t> values) {
  return from_values(DType::i32, std::move(shape), values);
}

}  // namespace dsf
