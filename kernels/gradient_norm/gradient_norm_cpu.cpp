#include <algorithm>
#include <cmath>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/gradient_norm/gradient_norm.h"

namespace dsf::cpu {

DSF_MULTIVERSION static double sum_of_squares(const float* g, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
  return sum;
}

void gradient_norm(const Context&, Tensor norm, ConstTensor g, Tensor block_sums) {
  const int64_t blocks = (g.size() + kNormBlock - 1) / kNormBlock;
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * kNormBlock, count = std::min(kNormBlock, g.size() - first);
      // The root keeps a block's sum in float's range and precision.
      block_sums[b] = static_cast<float>(std::sqrt(sum_of_squares(g.data + first, count)));
    }
  });
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b) sum += static_cast<double>(block_sums[b]) * block_sums[b];
  norm[0] = static_cast<float>(std::sqrt(sum));
}

}  // namespace dsf::cpu
