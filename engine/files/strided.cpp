#include "engine/files/strided.h"

#include <algorithm>
#include <cstring>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// One more than the largest element number that the view reaches; nothing on overflow.
std::optional<uint64_t> reach(uint64_t offset, std::span<const int64_t> shape,
                              std::span<const int64_t> strides) {
  uint64_t last = offset;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    uint64_t extent = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(shape[axis] - 1),
                               static_cast<uint64_t>(strides[axis]), &extent) ||
        __builtin_add_overflow(last, extent, &last)) {
      return std::nullopt;
    }
  }
  return last == UINT64_MAX ? std::nullopt : std::optional(last + 1);
}

void check_view(DType dtype, size_t storage_bytes, uint64_t offset, std::span<const int64_t> shape,
                std::span<const int64_t> strides, uint64_t max_bytes, std::string_view where) {
  const auto negative = [](int64_t value) { return value < 0; };
  if (shape.size() != strides.size() || shape.size() > kMaxStoredRank ||
      std::any_of(strides.begin(), strides.end(), negative)) {
    fail("{}: shape {} with strides {} is not a tensor of at most {} axes", where,
         shape_text(shape), shape_text(strides), kMaxStoredRank);
  }
  const auto bytes = tensor_bytes(dtype, shape);
  if (!bytes || *bytes > max_bytes) {
    fail("{}: a tensor of shape {} is larger than this file can justify", where, shape_text(shape));
  }
  if (*bytes == 0) return;
  const auto elements = reach(offset, shape, strides);
  if (!elements || *elements > storage_bytes / dtype_size(dtype)) {
    fail("{}: shape {} with strides {} from element {} reaches outside a storage of {} elements",
         where, shape_text(shape), shape_text(strides), offset, storage_bytes / dtype_size(dtype));
  }
}

bool is_dense(std::span<const int64_t> shape, std::span<const int64_t> strides) {
  int64_t expected = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] != 1 && strides[axis] != expected) return false;
    expected *= shape[axis];
  }
  return true;
}

}  // namespace

StoredTensor gather_strided(DType dtype, std::span<const std::byte> storage, uint64_t offset,
                            std::span<const int64_t> shape, std::span<const int64_t> strides,
                            uint64_t max_bytes, std::string_view where) {
  check_view(dtype, storage.size(), offset, shape, strides, max_bytes, where);
  const size_t element = dtype_size(dtype);
  StoredTensor tensor{dtype, {shape.begin(), shape.end()}, {}};
  tensor.bytes.resize(*tensor_bytes(dtype, shape));
  if (tensor.bytes.empty()) return tensor;
  if (is_dense(shape, strides)) {
    std::memcpy(tensor.bytes.data(), storage.data() + offset * element, tensor.bytes.size());
    return tensor;
  }
  // An odometer over all axes; `source` is the storage element of its present reading.
  std::vector<int64_t> index(shape.size(), 0);
  auto source = static_cast<int64_t>(offset);
  for (size_t target = 0; target < tensor.bytes.size(); target += element) {
    std::memcpy(tensor.bytes.data() + target,
                storage.data() + static_cast<size_t>(source) * element, element);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (shape[axis] == 1) continue;  // its stride can be anything: nothing has checked it
      source += strides[axis];
      if (++index[axis] < shape[axis]) break;
      source -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return tensor;
}

std::vector<int64_t> fortran_strides(std::span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t axis = 1; axis < shape.size(); ++axis) {
    if (__builtin_mul_overflow(strides[axis - 1], shape[axis - 1], &strides[axis])) {
      strides[axis] = -1;  // no such array fits in memory: gather_strided refuses it
    }
  }
  return strides;
}

}  // namespace dsf
