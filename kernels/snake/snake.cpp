#include "kernels/snake/snake.h"

namespace dsf {

void snake_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor alpha) {
  DSF_CHECK(y.shape == x.shape, "y {}, x {}", y.shape.str(), x.shape.str());
  DSF_CHECK(alpha.rank() == 1 && alpha.dim(0) == x.cols(), "alpha {} for x {}", alpha.shape.str(),
            x.shape.str());
  DSF_DISPATCH(snake_forward, ctx, y, x, alpha);
}

}  // namespace dsf
