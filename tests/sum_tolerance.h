#pragma once
#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {

/// For sums of `terms` products: each rounds about as often as it has terms, at random signs, which
/// comes to √terms · 2^-24 of its norm, on top of a few roundings of the result itself.
inline Tolerance sum_tolerance(int64_t terms) {
  return {4e-7 + 0x1p-24 * std::sqrt(static_cast<double>(terms)), "√terms roundings of 2^-24"};
}

}  // namespace dsf::testing
