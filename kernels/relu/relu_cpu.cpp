#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/relu/relu.h"

namespace dsf::cpu {

static constexpr int64_t kGrain = 16384;

DSF_MULTIVERSION static void forward_range(float* y, const float* x, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) y[i] = x[i] > 0.0F ? x[i] : 0.0F;
}

void relu_forward(const Context&, Tensor y, ConstTensor x) {
  parallel_for(y.size(), kGrain,
               [&](int64_t begin, int64_t end) { forward_range(y.data, x.data, begin, end); });
}

template <GradientMode mode>
static DSF_INLINE void backward_loop(float* dx, const float* dy, const float* y, int64_t begin,
                                     int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const float gradient = y[i] > 0.0F ? dy[i] : 0.0F;
    dx[i] = mode == GradientMode::accumulate ? dx[i] + gradient : gradient;
  }
}

DSF_MULTIVERSION static void backward_range(GradientMode mode, float* dx, const float* dy,
                                            const float* y, int64_t begin, int64_t end) {
  if (mode == GradientMode::accumulate) {
    backward_loop<GradientMode::accumulate>(dx, dy, y, begin, end);
  } else {
    backward_loop<GradientMode::overwrite>(dx, dy, y, begin, end);
  }
}

void relu_backward(const Context&, Gradient dx, ConstTensor dy, ConstTensor y) {
  parallel_for(dy.size(), kGrain, [&](int64_t begin, int64_t end) {
    backward_range(dx.mode, dx.tensor.data, dy.data, y.data, begin, end);
  });
}

}  // namespace dsf::cpu
