#include "kernels/common/convolution.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf::cuda {

void conv_transpose1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w) {
  const int64_t outputs = w.dim(1), kernel = w.dim(2);
  permute(ctx, prepared, w, {outputs * kernel, 1, kernel});
}

void conv_transpose1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                              ConstTensor b, const ConvTranspose1dSpec& spec) {
  Convolution c(y, x, w, b, w.dim(1));
  c.step = -1;
  c.phases = static_cast<int>(spec.stride);
  c.cut = static_cast<int>(spec.padding);
  c.tap_rows = 1;
  c.input_rows = c.kernel;
  convolve(ctx, c, Finish::overwrite);
}

}  // namespace dsf::cuda
