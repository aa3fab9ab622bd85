#pragma once
// Strided views of stored elements, as torch and numpy save them, made dense.
#include <span>
#include <string_view>
#include <vector>

#include "engine/files/stored_tensor.h"

namespace dsf {

inline constexpr size_t kMaxStoredRank = 16;

/// Element (i0, i1, …) of the result is storage element offset + Σ i_k·strides[k]. Raises an Error,
/// beginning with `where`, if shape and strides do not fit together or reach outside the storage,
/// or if the tensor would take more than `max_bytes`.
StoredTensor gather_strided(DType dtype, std::span<const std::byte> storage, uint64_t offset,
                            std::span<const int64_t> shape, std::span<const int64_t> strides,
                            uint64_t max_bytes, std::string_view where);

/// Strides of a dense array whose first axis varies fastest (Fortran order).
std::vector<int64_t> fortran_strides(std::span<const int64_t> shape);

}  // namespace dsf
