#pragma once
#include <cmath>
#include <vector>

#include "kernels/layernorm/layernorm.h"

namespace dsf::testing {

/// The norm of each row of x [rows, cols] in double, for the references of the norm and of what is
/// fused with it; weight and bias may be empty.
inline void layernorm_reference(std::vector<double>& y, const std::vector<double>& x, int64_t rows,
                                int64_t cols, const std::vector<double>& weight,
                                const std::vector<double>& bias) {
  for (int64_t r = 0; r < rows; ++r) {
    const double* row = x.data() + r * cols;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < cols; ++i) mean += row[i] / static_cast<double>(cols);
    for (int64_t i = 0; i < cols; ++i) {
      variance += (row[i] - mean) * (row[i] - mean) / static_cast<double>(cols);
    }
    for (int64_t i = 0; i < cols; ++i) {
      const double normed = (row[i] - mean) / std::sqrt(variance + kLayerNormEpsilon);
      const auto column = static_cast<size_t>(i);
      y[static_cast<size_t>(r * cols + i)] =
          weight.empty() ? normed : normed * weight[column] + bias[column];
    }
  }
}

}  // namespace dsf::testing
