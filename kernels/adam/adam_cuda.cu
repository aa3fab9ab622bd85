#include "kernels/adam/factors.h"
#include "kernels/common/launch.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

static constexpr int kThreads = 256;

template <int width>
__global__ static void step_kernel(float* w, float* m, float* v, const float* g, const float* norm,
                                   const float* guard, AdamFactors given,
                                   const AdamFactors* device_factors, int64_t size) {
  const int64_t at = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * width;
  if (at >= size || (guard && isnan(*guard))) return;
  const AdamFactors f = device_factors ? *device_factors : given;
  const float scale = norm ? clip_scale(f.clip_norm, *norm) : 1.0F;
  Vector<width> weight = load<width>(w + at), first = load<width>(m + at),
                second = load<width>(v + at);
  const Vector<width> gradient = load<width>(g + at);
  for (int i = 0; i < width; ++i) {
    const float scaled = scale * gradient[i];
    first[i] = f.decay1 * first[i] + f.gain1 * scaled;
    second[i] = f.decay2 * second[i] + f.gain2 * scaled * scaled;
    weight[i] = f.keep * weight[i] -
                f.step_size * first[i] / (sqrtf(second[i]) * f.root_correction + f.epsilon);
  }
  store(w + at, weight);
  store(m + at, first);
  store(v + at, second);
}

void adam_step(const Context& ctx, Tensor w, Tensor m, Tensor v, ConstTensor g, ConstTensor norm,
               ConstTensor guard, const AdamSettings& settings, int64_t step) {
  const bool vectors = fits_vectors(w.size(), {w.data, m.data, v.data, g.data});
  launch(vectors ? step_kernel<4> : step_kernel<1>,
         divide_up(w.size(), kThreads * (vectors ? 4 : 1)), kThreads, 0, stream_of(ctx), w.data,
         m.data, v.data, g.data, settings.clip_norm ? norm.data : nullptr, guard.data,
         adam_factors(settings, step),
         reinterpret_cast<const AdamFactors*>(settings.device_factors.data), w.size());
}

}  // namespace dsf::cuda
