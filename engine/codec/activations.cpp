#include "engine/codec/activations.h"

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

Tensor Activations::other(const Activated& in) const {
  const std::array<Tensor, 2> free = others(in.x);
  return in.snake.data == free[0].data ? free[1] : free[0];
}

Activated Activations::run_unit(const Context& ctx, const Activated& in, const ResidualUnit& unit,
                                const SnakeInto& next, bool padded) const {
  const int64_t frames = in.x.dim(1), channels = in.x.dim(2);
  const Convolution &dilated = unit.dilated, &pointwise = unit.pointwise;
  Conv1dSpec spec = convolution_spec(unit.dilation, padded);
  spec.bf16 = {in.bf16, dilated.bf16, dilated.bf16 && pointwise.bf16_input};
  spec.minimal = dilated.minimal;
  const int64_t length = conv1d_length(frames, kConvolutionKernel, spec);
  const Tensor hidden = view(other(in), {1, length, channels});
  conv1d_snake_forward(ctx, hidden, in.snake, dilated.w, dilated.b, unit.inner_alpha, spec);
  const Activated sum{{in.x.data + (frames - length) / 2 * channels, hidden.shape},
                      {in.snake.data, hidden.shape},
                      pointwise.bf16 && next.bf16};
  conv1d_add_snake_forward(ctx, sum.x, sum.snake, hidden, pointwise.w, pointwise.b, next.alpha,
                           {1, 1, 0, {spec.bf16.activated, pointwise.bf16, sum.bf16}});
  return sum;
}

}  // namespace dsf
