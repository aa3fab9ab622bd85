#include "kernels/layernorm/residual_layernorm.h"

#include "kernels/layernorm/check_vector.h"

namespace dsf {
namespace {

/// `of_norm` is the norm's result or its gradient, `name` which.
void check(ConstTensor of_norm, const char* name, ConstTensor sum, ConstTensor mean,
           ConstTensor rstd, const DropoutStream& dropout) {
  DSF_CHECK(of_norm.shape == sum.shape, "{} {}, sum {}", name, of_norm.shape.str(),
            sum.shape.str());
  DSF_CHECK(mean.size() == sum.rows() && rstd.size() == sum.rows(), "mean {}, rstd {} for sum {}",
            mean.shape.str(), rstd.shape.str(), sum.shape.str());
  DSF_CHECK(dropout.rate >= 0 && dropout.rate < 1, "rate {}", dropout.rate);
}

}  // namespace

void residual_layernorm_forward(const Context& ctx, Tensor y, Tensor sum, Tensor mean, Tensor rstd,
                                ConstTensor branch, ConstTensor skip, const DropoutStream& dropout,
                                ConstTensor weight, ConstTensor bias) {
  check(y, "y", sum, mean, rstd, dropout);
  DSF_CHECK(branch.shape == sum.shape && skip.shape == sum.shape, "branch {}, skip {}, sum {}",
            branch.shape.str(), skip.shape.str(), sum.shape.str());
  DSF_CHECK(y.data != sum.data && y.data != branch.data && y.data != skip.data,
            "y {} lies over sum, branch or skip", y.shape.str());
  check_vector(weight, sum.cols(), "weight");
  check_vector(bias, sum.cols(), "bias");
  DSF_CHECK(static_cast<bool>(weight) == static_cast<bool>(bias), "weight {}, bias {}",
            weight.shape.str(), bias.shape.str());
  DSF_DISPATCH(residual_layernorm_forward, ctx, y, sum, mean, rstd, branch, skip, dropout, weight,
               bias);
}

void residual_layernorm_backward(const Context& ctx, Gradient dsum, Gradient dbranch,
                                 Gradient dweight, Gradient dbias, ConstTensor dy, ConstTensor sum,
                                 ConstTensor mean, ConstTensor rstd, ConstTensor weight,
                                 const DropoutStream& dropout) {
  check(dy, "dy", sum, mean, rstd, dropout);
  DSF_CHECK(dsum.tensor.shape == sum.shape, "dsum {}, sum {}", dsum.tensor.shape.str(),
            sum.shape.str());
  DSF_CHECK(dsum.tensor.data != dy.data || dsum.mode == GradientMode::overwrite,
            "dsum {} is dy and would be added to", dy.shape.str());
  DSF_CHECK(!dbranch || dbranch.tensor.shape == sum.shape, "dbranch {}, sum {}",
            dbranch.tensor.shape.str(), sum.shape.str());
  DSF_CHECK(!dbranch || (dbranch.tensor.data != dsum.tensor.data && dbranch.tensor.data != dy.data),
            "dbranch {} lies over dsum or dy", dbranch.tensor.shape.str());
  check_vector(weight, sum.cols(), "weight");
  check_vector(dweight.tensor, sum.cols(), "dweight");
  check_vector(dbias.tensor, sum.cols(), "dbias");
  DSF_DISPATCH(residual_layernorm_backward, ctx, dsum, dbranch, dweight, dbias, dy, sum, mean, rstd,
               weight, dropout);
}

}  // namespace dsf
