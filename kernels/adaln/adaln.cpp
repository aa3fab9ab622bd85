#include "kernels/adaln/adaln.h"

namespace dsf {
namespace {

void check(ConstTensor y, ConstTensor scale, ConstTensor x, const AdalnRows& rows) {
  DSF_CHECK(y.shape == x.shape, "y {}, x {}", y.shape.str(), x.shape.str());
  const int64_t count = scale.rows();
  DSF_CHECK(scale.cols() == x.cols() && count > 0 && x.rows() % count == 0, "scale {} for x {}",
            scale.shape.str(), x.shape.str());
  for (const ConstTensor& tensor : {rows.mu, rows.log_sigma, rows.gamma, rows.beta}) {
    DSF_CHECK(tensor.shape == scale.shape, "rows {} and {}", tensor.shape.str(), scale.shape.str());
  }
}

}  // namespace

void adaln_forward(const Context& ctx, Tensor y, Tensor scale, ConstTensor x,
                   const AdalnRows& rows) {
  check(y, scale, x, rows);
  DSF_DISPATCH(adaln_forward, ctx, y, scale, x, rows);
}

void adaln_backward(const Context& ctx, Gradient dx, const AdalnGradients& drows, ConstTensor dy,
                    ConstTensor x, ConstTensor scale, const AdalnRows& rows) {
  check(dy, scale, x, rows);
  DSF_CHECK(!dx || dx.tensor.shape == x.shape, "gradient {} of {}", dx.tensor.shape.str(),
            x.shape.str());
  for (const Gradient& gradient : {drows.mu, drows.log_sigma, drows.gamma, drows.beta}) {
    DSF_CHECK(gradient.tensor.shape == scale.shape, "gradient {} of {}",
              gradient.tensor.shape.str(), scale.shape.str());
  }
  DSF_DISPATCH(adaln_backward, ctx, dx, drows, dy, x, scale, rows);
}

}  // namespace dsf
