#include "kernels/conv1d/conv1d.h"

namespace dsf {
namespace {

void check_forward(const Context& ctx, ConstTensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                   const Conv1dSpec& spec) {
  DSF_CHECK(ctx.device == Device::cuda || !(spec.bf16.x || spec.bf16.activated),
            "activations in bf16 are for a GPU");
  DSF_CHECK(!spec.minimal || (ctx.device == Device::cpu && spec.stride == 1 && !spec.bf16.w &&
                              w.dim(0) == kMinimalPoints),
            "minimal filtering of stride {} with w {} on {}", spec.stride, w.shape.str(),
            name_of(ctx.device));
  DSF_CHECK(x.rank() == 3 && w.rank() == 3 && w.dim(1) == x.dim(2), "x {}, w {}", x.shape.str(),
            w.shape.str());
  const Shape expected{x.dim(0), conv1d_length(x.dim(1), conv1d_taps(w, spec), spec), w.dim(2)};
  DSF_CHECK(y.shape == expected, "y {}, expected {}", y.shape.str(), expected.str());
  DSF_CHECK(!b || (b.rank() == 1 && b.dim(0) == w.dim(2)), "b {} for w {}", b.shape.str(),
            w.shape.str());
}

void check_alpha(ConstTensor alpha, ConstTensor y) {
  DSF_CHECK(alpha.shape == Shape{y.cols()}, "alpha {} for {}", alpha.shape.str(), y.shape.str());
}

}  // namespace

int64_t conv1d_length(int64_t frames, int64_t kernel, const Conv1dSpec& spec) {
  const auto& [stride, dilation, padding, bf16, minimal] = spec;
  DSF_CHECK(kernel >= 1 && stride >= 1 && dilation >= 1 && padding >= 0,
            "kernel {}, stride {}, dilation {}, padding {}", kernel, stride, dilation, padding);
  const int64_t reach = dilation * (kernel - 1) + 1;
  DSF_CHECK(frames + 2 * padding >= reach,
            "{} frames and {} of padding on each side are fewer than the {} that one output frame "
            "of a kernel of {} with dilation {} needs",
            frames, padding, reach, kernel, dilation);
  return (frames + 2 * padding - reach) / stride + 1;
}

void conv1d_prepare(const Context& ctx, Tensor prepared, ConstTensor w) {
  DSF_CHECK(w.rank() == 3 && prepared.shape == Shape({w.dim(2), w.dim(1), w.dim(0)}),
            "prepared {} from w {}", prepared.shape.str(), w.shape.str());
  DSF_DISPATCH(conv1d_prepare, ctx, prepared, w);
}

void conv1d_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                    const Conv1dSpec& spec) {
  check_forward(ctx, y, x, w, b, spec);
  DSF_DISPATCH(conv1d_forward, ctx, y, x, w, b, spec);
}

void conv1d_add_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                        const Conv1dSpec& spec) {
  check_forward(ctx, y, x, w, b, spec);
  DSF_DISPATCH(conv1d_add_forward, ctx, y, x, w, b, spec);
}

void conv1d_tanh_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                         const Conv1dSpec& spec) {
  check_forward(ctx, y, x, w, b, spec);
  DSF_DISPATCH(conv1d_tanh_forward, ctx, y, x, w, b, spec);
}

void conv1d_snake_forward(const Context& ctx, Tensor activated, ConstTensor x, ConstTensor w,
                          ConstTensor b, ConstTensor alpha, const Conv1dSpec& spec) {
  check_forward(ctx, activated, x, w, b, spec);
  check_alpha(alpha, activated);
  DSF_DISPATCH(conv1d_snake_forward, ctx, activated, x, w, b, alpha, spec);
}

void conv1d_add_snake_forward(const Context& ctx, Tensor y, Tensor activated, ConstTensor x,
                              ConstTensor w, ConstTensor b, ConstTensor alpha,
                              const Conv1dSpec& spec) {
  check_forward(ctx, y, x, w, b, spec);
  DSF_CHECK(activated.shape == y.shape, "activated {}, y {}", activated.shape.str(), y.shape.str());
  check_alpha(alpha, y);
  DSF_DISPATCH(conv1d_add_snake_forward, ctx, y, activated, x, w, b, alpha, spec);
}

}  // namespace dsf
