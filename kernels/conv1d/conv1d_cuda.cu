#include "kernels/common/convolution.h"
#include "kernels/conv1d/conv1d.h"

namespace dsf::cuda {

void conv1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w) {
  const int64_t inputs = w.dim(1), kernel = w.dim(2);
  permute(ctx, prepared, w, {1, kernel, inputs * kernel});
}

static void run(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                const Conv1dSpec& spec, Finish finish, Tensor activated = {},
                ConstTensor alpha = {}) {
  Convolution c(y, x, w, b, w.dim(0));
  c.stride = static_cast<int>(spec.stride);
  c.step = static_cast<int>(spec.dilation);
  c.offset = -static_cast<int>(spec.padding);
  c.tap_rows = c.inputs;
  c.input_rows = 1;
  c.activated = activated.data;
  c.alpha = alpha.data;
  c.bf16 = spec.bf16;
  convolve(ctx, c, finish);
}

void conv1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                    const Conv1dSpec& spec) {
  run(ctx, y, x, w, b, spec, Finish::overwrite);
}

void conv1d_add_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                        const Conv1dSpec& spec) {
  run(ctx, y, x, w, b, spec, Finish::add);
}

void conv1d_tanh_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                         const Conv1dSpec& spec) {
  run(ctx, y, x, w, b, spec, Finish::tanh);
}

void conv1d_snake_forward(const Context& ctx, Tensor activated, ConstTensor x, ConstTensor w,
                          ConstTensor b, ConstTensor alpha, const Conv1dSpec& spec) {
  run(ctx, activated, x, w, b, spec, Finish::overwrite, activated, alpha);
}

void conv1d_add_snake_forward(const Context& ctx, Tensor y, Tensor activated, ConstTensor x,
                              ConstTensor w, ConstTensor b, ConstTensor alpha,
                              const Conv1dSpec& spec) {
  run(ctx, y, x, w, b, spec, Finish::add, activated, alpha);
}

}  // namespace dsf::cuda
