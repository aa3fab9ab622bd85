#include "kernels/gradient_sum/gradient_sum.h"

namespace dsf {

void gradient_sum(const Context& ctx, Gradient sum, ConstTensor g, float scale) {
  DSF_CHECK(sum.tensor.size() == g.size(), "sum {}, g {}", sum.tensor.size(), g.size());
  DSF_DISPATCH(gradient_sum, ctx, sum, g, scale);
}

}  // namespace dsf
