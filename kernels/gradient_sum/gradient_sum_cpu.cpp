#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/gradient_sum/gradient_sum.h"

namespace dsf::cpu {

DSF_MULTIVERSION static void replace(float* __restrict sum, const float* __restrict g, float scale,
                                     int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) sum[i] = scale * g[i];
}

DSF_MULTIVERSION static void add(float* __restrict sum, const float* __restrict g, float scale,
                                 int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) sum[i] += scale * g[i];
}

void gradient_sum(const Context&, Gradient sum, ConstTensor g, float scale) {
  const auto work = sum.mode == GradientMode::accumulate ? add : replace;
  parallel_for(g.size(), 16384, [&](int64_t begin, int64_t end) {
    work(sum.tensor.data, g.data, scale, begin, end);
  });
}

}  // namespace dsf::cpu
