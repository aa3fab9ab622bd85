#pragma once
// Tensors as files hold them: any element type, dense, row-major, little-endian.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

enum class DType { f16, bf16, f32, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean };

/// Bytes of an element.
size_t dtype_size(DType dtype);
/// "F32", "BOOL" …: the names that safetensors files use, both ways.
std::string_view dtype_name(DType dtype);
std::optional<DType> parse_dtype(std::string_view name);

/// The product of the extents (1 for rank 0); nothing if one is negative or the product overflows.
std::optional<uint64_t> element_count(std::span<const int64_t> shape);
/// The bytes that such a tensor takes; nothing if that overflows.
std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape);
/// "[2, 3]"
std::string shape_text(std::span<const int64_t> shape);

/// Owns its elements; `bytes.size()` is always what dtype and shape say.
struct StoredTensor {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  int64_t size() const { return static_cast<int64_t>(bytes.size() / dtype_size(dtype)); }
  bool operator==(const StoredTensor&) const = default;
};

/// The elements of a tensor that somebody else owns.
struct TensorRef {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
};
TensorRef tensor_ref(const StoredTensor& tensor);

/// The elements of any type as floats, rounded to nearest where a float cannot hold them.
std::vector<float> to_floats(const StoredTensor& tensor);
/// The elements of an integer or boolean type; an Error if one does not fit or the type is of
/// floats. `what` begins the message.
std::vector<int32_t> to_int32(const StoredTensor& tensor, std::string_view what = "tensor");

/// Copies `values`; an Error if their number is not that of the shape.
StoredTensor from_floats(std::vector<int64_t> shape, std::span<const float> values);
/// The same, rounded to nearest as bf16.
StoredTensor from_floats_as_bf16(std::vector<int64_t> shape, std::span<const float> values);
StoredTensor from_int32(std::vector<int64_t> shape, std::span<const int32_t> values);

}  // namespace dsf
