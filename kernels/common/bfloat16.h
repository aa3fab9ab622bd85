#pragma once
// bfloat16 numbers: the upper half of a float's bits.
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/common/multiversion.h"

namespace dsf {

/// Rounded to nearest, ties to even. NaN stays one.
DSF_INLINE uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

DSF_INLINE float from_bf16(uint16_t bf16) {
  return std::bit_cast<float>(uint32_t{bf16} << 16);
}

}  // namespace dsf
