#include "kernels/common/convolution.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf::cuda {

void conv_transpose1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w) {
  const int64_t outputs = w.dim(1), kernel = w.dim(2);
  permute(ctx, prepared, w, {outputs * kernel, 1, kernel});
}

static void run(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                const ConvTranspose1dSpec& spec, Tensor activated, ConstTensor alpha) {
  Convolution c(y, x, w, b, w.dim(1));
  c.step = -1;
  c.phases = static_cast<int>(spec.stride);
  c.cut = static_cast<int>(spec.padding);
  c.tap_rows = 1;
  c.input_rows = c.kernel;
  c.activated = activated.data;
  c.alpha = alpha.data;
  c.bf16 = spec.bf16;
  convolve(ctx, c, Finish::overwrite);
}

void conv_transpose1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                              ConstTensor b, const ConvTranspose1dSpec& spec) {
  run(ctx, y, x, w, b, spec, {}, {});
}

void conv_transpose1d_snake_forward(const Context& ctx, Tensor y, Tensor activated, ConstTensor x,
                                    ConstTensor w, ConstTensor b, ConstTensor alpha,
                                    const ConvTranspose1dSpec& spec) {
  run(ctx, y, x, w, b, spec, activated, alpha);
}

}  // namespace dsf::cuda
