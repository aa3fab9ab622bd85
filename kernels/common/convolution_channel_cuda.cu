// Convolutions to one channel, the codec's last layer: as each number of x meets few weights, what
// takes time is to read x. A warp sums over all that lies under the taps of a few frames.
#include "kernels/common/convolution.h"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

static constexpr int kThreads = 256, kFrames = 4;

__global__ static void __launch_bounds__(kThreads) channel_kernel(Convolution c, Finish finish) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int64_t warp = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarpSize;
  const int groups = (c.length + kFrames - 1) / kFrames;
  const int64_t sequence = warp / groups;
  const int first = static_cast<int>(warp % groups) * kFrames;
  if (sequence >= c.sequences) return;
  const float* const x = c.x + sequence * c.frames * c.inputs;
  float sums[kFrames] = {};
  int tap = 0, input = lane * 4;
  for (; input >= c.inputs; input -= c.inputs) ++tap;
  while (tap < c.kernel) {
    const Vector<4> w = load<4>(c.w + int64_t{tap} * c.inputs + input);
    for (int i = 0; i < kFrames; ++i) {
      const int t = (first + i) * c.stride + tap * c.step + c.offset;
      if (t < 0 || t >= c.frames) continue;
      const Vector<4> values = load<4>(x + int64_t{t} * c.inputs + input);
      for (int k = 0; k < 4; ++k) sums[i] += values[k] * w[k];
    }
    for (input += kWarpSize * 4; input >= c.inputs; input -= c.inputs) ++tap;
  }
  for (int i = 0; i < kFrames; ++i) {
    float sum = warp_sum(sums[i]) + (c.b ? c.b[0] : 0.0F);
    if (lane != 0 || first + i >= c.length) continue;
    float& y = c.y[sequence * c.length + first + i];
    if (finish == Finish::add) sum += y;
    y = finish == Finish::tanh ? tanhf(sum) : sum;
  }
}

bool fits_one_channel(const Convolution& c) {
  return c.outputs == 1 && c.phases == 1 && c.input_rows == 1 && fits_vectors(c.inputs, {c.x, c.w});
}

void convolve_to_one_channel(const Context& ctx, const Convolution& c, Finish finish) {
  const int64_t warps = c.sequences * divide_up(c.length, kFrames);
  launch(channel_kernel, divide_up(warps * kWarpSize, kThreads), kThreads, 0, stream_of(ctx), c,
         finish);
}

}  // namespace dsf::cuda
