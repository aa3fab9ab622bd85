#include <cmath>

#include "kernels/adam/adam.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"

namespace dsf::cpu {

namespace {

struct Factors {
  float decay1, gain1, decay2, gain2, step_size, root_correction, epsilon, keep, scale;
};

}  // namespace

DSF_MULTIVERSION static void update(float* __restrict w, float* __restrict m, float* __restrict v,
                                    const float* __restrict g, const Factors& f, int64_t begin,
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
  const double beta1 = settings.beta1, beta2 = settings.beta2;
  const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(step));
  const double rate = settings.learning_rate, weight_decay = settings.weight_decay;
  const Factors factors{static_cast<float>(beta1),
                        static_cast<float>(1.0 - beta1),
                        static_cast<float>(beta2),
                        static_cast<float>(1.0 - beta2),
                        static_cast<float>(rate / correction1),
                        static_cast<float>(1.0 / std::sqrt(correction2)),
                        static_cast<float>(settings.epsilon),
                        static_cast<float>(1.0 - rate * weight_decay),
                        settings.gradient_scale};
  parallel_for(w.size(), 8192, [&](int64_t begin, int64_t end) {
    update(w.data, m.data, v.data, g.data, factors, begin, end);
  });
}

}  // namespace dsf::cpu
