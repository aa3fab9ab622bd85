#include "kernels/adam/adam.h"

#include "kernels/adam/factors.h"

namespace dsf {

void adam_step(const Context& ctx, Tensor w, Tensor m, Tensor v, ConstTensor g, ConstTensor norm,
               ConstTensor guard, const AdamSettings& settings, int64_t step) {
  DSF_CHECK(w.size() == g.size() && m.size() == g.size() && v.size() == g.size(),
            "w {}, m {}, v {}, g {}", w.size(), m.size(), v.size(), g.size());
  DSF_CHECK(norm.size() == (norm ? 1 : 0) && guard.size() == (guard ? 1 : 0), "norm {}, guard {}",
            norm.shape.str(), guard.shape.str());
  DSF_CHECK(norm || !settings.clip_norm, "clipping to {} without a norm", *settings.clip_norm);
  DSF_CHECK(step >= 1, "step {}", step);
  const ConstTensor& factors = settings.device_factors;
  DSF_CHECK(!factors || (ctx.device != Device::cpu && factors.size() == kAdamFactors),
            "device_factors {}; the CPU has none", factors.shape.str());
  DSF_DISPATCH(adam_step, ctx, w, m, v, g, norm, guard, settings, step);
}

}  // namespace dsf
