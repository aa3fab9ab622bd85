#include "engine/codec/activations.h"

#include "kernels/snake/snake.h"

namespace dsf {

Conv1dSpec convolution_spec(int64_t dilation, bool padded) {
  return {1, dilation, padded ? dilation * (kConvolutionKernel - 1) / 2 : 0};
}

Activations::Activations(Arena& arena, const std::string& name, int64_t size) {
  for (size_t i = 0; i < buffers_.size(); ++i) {
    buffers_[i] = arena.tensor(fmt::format("{}.activation{}", name, i), {size});
  }
}

std::array<Tensor, 2> Activations::others(Tensor x) const {
  std::array<Tensor, 2> free;
  size_t count = 0;
  for (const Tensor& buffer : buffers_) {
    const bool holds_x = x.data >= buffer.data && x.data < buffer.data + buffer.size();
    if (!holds_x && count < free.size()) free[count++] = buffer;
  }
  return free;
}

Tensor Activations::run_unit(const Context& ctx, Tensor x, const ResidualUnit& unit,
                             bool padded) const {
  const int64_t frames = x.dim(1), channels = x.dim(2);
  const Conv1dSpec spec = convolution_spec(unit.dilation, padded);
  const int64_t length = conv1d_length(frames, kConvolutionKernel, spec);
  const auto buffers = others(x);
  const Tensor activated = view(buffers[0], x.shape);
  const Tensor hidden = view(buffers[1], {1, length, channels});
  snake_forward(ctx, activated, x, unit.alpha);
  conv1d_forward(ctx, hidden, activated, unit.dilated.w, unit.dilated.b, spec);
  snake_forward(ctx, hidden, hidden, unit.inner_alpha);
  const Tensor sum(x.data + (frames - length) / 2 * channels, hidden.shape);
  conv1d_add_forward(ctx, sum, hidden, unit.pointwise.w, unit.pointwise.b, {});
  return sum;
}

}  // namespace dsf
