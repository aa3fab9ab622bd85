#include "kernels/residual/residual.h"

namespace dsf {

static void check(ConstTensor a, ConstTensor b, const DropoutStream& dropout) {
  DSF_CHECK(!a || a.shape == b.shape, "{} and {}", a.shape.str(), b.shape.str());
  DSF_CHECK(dropout.rate >= 0 && dropout.rate < 1, "rate {}", dropout.rate);
}

void residual_forward(const Context& ctx, Tensor y, ConstTensor branch, ConstTensor skip,
                      const DropoutStream& dropout) {
  check(y, branch, dropout);
  check(skip, branch, dropout);
  DSF_DISPATCH(residual_forward, ctx, y, branch, skip, dropout);
}

void residual_backward(const Context& ctx, Gradient dbranch, Gradient dskip, ConstTensor dy,
                       const DropoutStream& dropout) {
  check(dbranch.tensor, dy, dropout);
  check(dskip.tensor, dy, dropout);
  for (const Gradient* gradient : {&dbranch, &dskip}) {
    DSF_CHECK(gradient->tensor.data != dy.data || gradient->mode == GradientMode::overwrite,
              "a gradient of {} is dy and would be added to", dy.shape.str());
  }
  DSF_CHECK(!dbranch || dbranch.tensor.data != dskip.tensor.data, "one buffer for both gradients");
  DSF_DISPATCH(residual_backward, ctx, dbranch, dskip, dy, dropout);
}

}  // namespace dsf
