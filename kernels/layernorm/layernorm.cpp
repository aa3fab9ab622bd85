#include "kernels/layernorm/layernorm.h"

#include "kernels/layernorm/check_vector.h"

namespace dsf {
namespace {

void check(ConstTensor x, ConstTensor y, ConstTensor mean, ConstTensor rstd) {
  DSF_CHECK(y.shape == x.shape, "y {}, x {}", y.shape.str(), x.shape.str());
  DSF_CHECK(mean.size() == x.rows() && rstd.size() == x.rows(), "mean {}, rstd {} for x {}",
            mean.shape.str(), rstd.shape.str(), x.shape.str());
}

}  // namespace

void layernorm_forward(const Context& ctx, Tensor y, Tensor mean, Tensor rstd, ConstTensor x,
                       ConstTensor weight, ConstTensor bias) {
  check(x, y, mean, rstd);
  check_vector(weight, x.cols(), "weight");
  check_vector(bias, x.cols(), "bias");
  DSF_CHECK(static_cast<bool>(weight) == static_cast<bool>(bias), "weight {}, bias {}",
            weight.shape.str(), bias.shape.str());
  DSF_DISPATCH(layernorm_forward, ctx, y, mean, rstd, x, weight, bias);
}

void layernorm_backward(const Context& ctx, Gradient dx, Gradient dweight, Gradient dbias,
                        ConstTensor dy, ConstTensor x, ConstTensor mean, ConstTensor rstd,
                        ConstTensor weight) {
  check(x, dy, mean, rstd);
  DSF_CHECK(!dx || dx.tensor.shape == x.shape, "dx {}, x {}", dx.tensor.shape.str(), x.shape.str());
  check_vector(weight, x.cols(), "weight");
  check_vector(dweight.tensor, x.cols(), "dweight");
  check_vector(dbias.tensor, x.cols(), "dbias");
  DSF_DISPATCH(layernorm_backward, ctx, dx, dweight, dbias, dy, x, mean, rstd, weight);
}

}  // namespace dsf
