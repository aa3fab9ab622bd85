#include "kernels/dropout/dropout.h"

namespace dsf {

static void check(ConstTensor y, ConstTensor x, const DropoutStream& dropout) {
  DSF_CHECK(y.shape == x.shape, "{} and {}", y.shape.str(), x.shape.str());
  DSF_CHECK(dropout.rate >= 0 && dropout.rate < 1, "rate {}", dropout.rate);
}

void dropout_forward(const Context& ctx, Tensor y, ConstTensor x, const DropoutStream& dropout) {
  check(y, x, dropout);
  DSF_DISPATCH(dropout_forward, ctx, y, x, dropout);
}

void dropout_backward(const Context& ctx, Gradient dx, ConstTensor dy,
                      const DropoutStream& dropout) {
  if (!dx) return;
  check(dx.tensor, dy, dropout);
  DSF_DISPATCH(dropout_backward, ctx, dx, dy, dropout);
}

}  // namespace dsf
