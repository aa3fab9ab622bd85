#include <cmath>

#include "kernels/adam/factors.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"

namespace dsf::cpu {

DSF_MULTIVERSION static void update(float* __restrict w, float* __restrict m, float* __restrict v,
                                    const float* __restrict g, const AdamFactors& f, int64_t begin,
                                    int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const float gradient = f.scale * g[i];
    m[i] = f.decay1 * m[i] + f.gain1 * gradient;
    v[i] = f.decay2 * v[i] + f.gain2 * gradient * gradient;
    w[i] = f.keep * w[i] - f.step_size * m[i] / (std::sqrt(v[i]) * f.root_correction + f.epsilon);
  }
}

void adam_step(const Context&, Tensor w, Tensor m, Tensor v, ConstTensor g,
               const AdamSettings& settings, int64_t step) {
  const AdamFactors factors = adam_factors(settings, step);
  parallel_for(w.size(), 8192, [&](int64_t begin, int64_t end) {
    update(w.data, m.data, v.data, g.data, factors, begin, end);
  });
}

}  // namespace dsf::cpu
