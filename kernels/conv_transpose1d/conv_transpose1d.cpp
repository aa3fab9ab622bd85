#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf {

int64_t conv_transpose1d_length(int64_t frames, int64_t kernel, const ConvTranspose1dSpec& spec) {
  const auto& [stride, padding, bf16] = spec;
  DSF_CHECK(kernel >= 1 && stride >= 1 && padding >= 0, "kernel {}, stride {}, padding {}", kernel,
            stride, padding);
  const int64_t length = (frames - 1) * stride - 2 * padding + kernel;
  DSF_CHECK(frames >= 1 && length >= 1,
            "{} frames with kernel {}, stride {} and padding {} leave no output", frames, kernel,
            stride, padding);
  return length;
}

void conv_transpose1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w) {
  DSF_CHECK(w.rank() == 3 && prepared.shape == Shape({w.dim(0), w.dim(2), w.dim(1)}),
            "prepared {} from w {}", prepared.shape.str(), w.shape.str());
  DSF_DISPATCH(conv_transpose1d_prepare, ctx, prepared, w);
}

static void check_forward(const Context& ctx, ConstTensor y, ConstTensor x, ConstTensor w,
                          ConstTensor b, const ConvTranspose1dSpec& spec) {
  DSF_CHECK(ctx.device == Device::cuda || !(spec.bf16.x || spec.bf16.activated),
            "activations in bf16 are for a GPU");
  DSF_CHECK(x.rank() == 3 && w.rank() == 3 && w.dim(0) == x.dim(2), "x {}, w {}", x.shape.str(),
            w.shape.str());
  const Shape expected{x.dim(0), conv_transpose1d_length(x.dim(1), w.dim(1), spec), w.dim(2)};
  DSF_CHECK(y.shape == expected, "y {}, expected {}", y.shape.str(), expected.str());
  DSF_CHECK(!b || (b.rank() == 1 && b.dim(0) == w.dim(2)), "b {} for w {}", b.shape.str(),
            w.shape.str());
}

void conv_transpose1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                              ConstTensor b, const ConvTranspose1dSpec& spec) {
  check_forward(ctx, y, x, w, b, spec);
  DSF_DISPATCH(conv_transpose1d_forward, ctx, y, x, w, b, spec);
}

void conv_transpose1d_snake_forward(const Context& ctx, Tensor y, Tensor activated, ConstTensor x,
                                    ConstTensor w, ConstTensor b, ConstTensor alpha,
                                    const ConvTranspose1dSpec& spec) {
  check_forward(ctx, y, x, w, b, spec);
  DSF_CHECK(activated.shape == y.shape && alpha.shape == Shape{y.cols()},
            "activated {}, alpha {} for y {}", activated.shape.str(), alpha.shape.str(),
            y.shape.str());
  DSF_DISPATCH(conv_transpose1d_snake_forward, ctx, y, activated, x, w, b, alpha, spec);
}

}  // namespace dsf
