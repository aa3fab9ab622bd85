#pragma once
#include <cmath>

namespace dsf::testing {

/// The larger of two errors, NaN where either is: std::max would drop a NaN, and a test pass.
inline double worse(double a, double b) {
  return std::isnan(a) || b <= a ? a : b;
}

}  // namespace dsf::testing
