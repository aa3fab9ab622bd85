// kernels/cudnn for the simulated GPU: its equations, on copies.
#include "tests/simt/cudnn.h"

#include <vector>

#include "kernels/common/checks.h"
#include "kernels/common/device_memory.h"
#include "kernels/cudnn/convolution.h"
#include "tests/simt/device.h"

namespace dsf::cudnn {
namespace {

std::vector<float> fetch(const Context& ctx, const float* from, int64_t count) {
  DSF_CHECK(reinterpret_cast<uintptr_t>(from) % 16 == 0, "an operand at {}",
            static_cast<const void*>(from));
  std::vector<float> values(static_cast<size_t>(count));
  cuda::copy_to_host(ctx, values.data(), from, values.size() * sizeof(float));
  return values;
}

struct Sums {
  const Convolution& c;
  const float *x, *w;
  double* y;

  /// y[n, u] += x[n, t]·w of tap k.
  void add(int64_t n, int64_t t, int64_t k, int64_t u) const {
    for (int64_t i = 0; i < c.inputs; ++i) {
      const double value = x[(n * c.frames + t) * c.inputs + i];
      for (int64_t o = 0; o < c.outputs; ++o) {
        const int64_t at =
            c.transposed ? (i * c.kernel + k) * c.outputs + o : (o * c.kernel + k) * c.inputs + i;
        y[(n * c.length + u) * c.outputs + o] += value * w[at];
      }
    }
  }
};

}  // namespace

std::string lacks() {
  return simt::cudnn.lacks;
}

bool can_convolve(const Context&, const Convolution&) {
  return simt::cudnn.has_plans;
}

void convolve(const Context& ctx, const Convolution& c, float* y, const float* x, const float* w) {
  if (simt::record([=] { convolve(ctx, c, y, x, w); })) return;
  ++simt::cudnn.convolutions;
  const std::vector<float> xs = fetch(ctx, x, c.sequences * c.frames * c.inputs);
  const std::vector<float> ws = fetch(ctx, w, c.kernel * c.inputs * c.outputs);
  std::vector<double> sums(static_cast<size_t>(c.sequences * c.length * c.outputs));
  const Sums add{c, xs.data(), ws.data(), sums.data()};
  const int64_t from = c.transposed ? c.frames : c.length, to = c.transposed ? c.length : c.frames;
  for (int64_t n = 0; n < c.sequences; ++n) {
    for (int64_t t = 0; t < from; ++t) {
      for (int64_t k = 0; k < c.kernel; ++k) {
        const int64_t u = t * c.stride + k * c.dilation - c.padding;
        if (u < 0 || u >= to) continue;
        if (c.transposed) {
          add.add(n, t, k, u);
        } else {
          add.add(n, u, k, t);
        }
      }
    }
  }
  const std::vector<float> rounded(sums.begin(), sums.end());
  simt::copy(y, rounded.data(), rounded.size() * sizeof(float), simt::Copy::to_device);
}

void release(void*) noexcept {}

}  // namespace dsf::cudnn
