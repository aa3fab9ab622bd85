#pragma once
#include <cmath>
#include <vector>

#include "kernels/common/tensor.h"

namespace dsf::testing {

/// The loss of a batch in double, from the logits [M, V] and targets [M] in [0, V).
inline double double_loss(ConstTensor logits, const std::vector<int32_t>& targets,
                          int64_t vocabulary) {
  double sum = 0;
  for (size_t row = 0; row < targets.size(); ++row) {
    const float* values = logits.data + static_cast<int64_t>(row) * vocabulary;
    double total = 0;
    for (int64_t v = 0; v < vocabulary; ++v) total += std::exp(static_cast<double>(values[v]));
    sum += std::log(total) - values[targets[row]];
  }
  return sum / static_cast<double>(targets.size());
}

}  // namespace dsf::testing
