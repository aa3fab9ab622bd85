#include "kernels/relu/relu.h"

namespace dsf {

void relu_forward(const Context& ctx, Tensor y, ConstTensor x) {
  DSF_CHECK(y.shape == x.shape, "y {}, x {}", y.shape.str(), x.shape.str());
  DSF_DISPATCH(relu_forward, ctx, y, x);
}

void relu_backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor y) {
  DSF_CHECK(dx.tensor.shape == dy.shape && dy.shape == y.shape, "dx {}, dy {}, y {}",
            dx.tensor.shape.str(), dy.shape.str(), y.shape.str());
  DSF_DISPATCH(relu_backward, ctx, dx, dy, y);
}

}  // namespace dsf
