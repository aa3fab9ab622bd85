#include "kernels/common/weight_matrix.h"

namespace dsf {
namespace {

constexpr std::string_view kNames[] = {"fp32", "bf16", "int8"};
constexpr int64_t kBytes[] = {4, 2, 1};

}  // namespace

std::string_view name_of(WeightFormat format) {
  return kNames[static_cast<size_t>(format)];
}

int64_t bytes_of(WeightFormat format) {
  return kBytes[static_cast<size_t>(format)];
}

WeightFormat parse_weight_format(std::string_view name, std::string_view option) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<WeightFormat>(i);
  }
  fail_usage("{} {}: unknown format, expected fp32, bf16 or int8", option, name);
}

WeightMatrix WeightMatrix::slice(int64_t first, int64_t count) const {
  DSF_CHECK(first >= 0 && count >= 0 && first + count <= rows, "rows {} … {} of {}", first,
            first + count - 1, rows);
  const int64_t bytes = bytes_of(format) * first * cols;
  return {format,
          static_cast<const std::byte*>(data) + bytes,
          scales ? scales + first : nullptr,
          {count, cols}};
}

}  // namespace dsf
