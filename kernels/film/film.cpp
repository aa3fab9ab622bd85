#include "kernels/film/film.h"

namespace dsf {
namespace {

void check(ConstTensor y, ConstTensor x, ConstTensor gamma) {
  DSF_CHECK(y.shape == x.shape, "y {}, x {}", y.shape.str(), x.shape.str());
  const int64_t rows = gamma.rows();
  DSF_CHECK(gamma.cols() == x.cols() && rows > 0 && x.rows() % rows == 0, "gamma {} for x {}",
            gamma.shape.str(), x.shape.str());
}

void check_like(const Gradient& gradient, ConstTensor tensor) {
  DSF_CHECK(!gradient || gradient.tensor.shape == tensor.shape, "gradient {} of {}",
            gradient.tensor.shape.str(), tensor.shape.str());
}

}  // namespace

void film_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor gamma,
                  ConstTensor beta) {
  check(y, x, gamma);
  DSF_CHECK(gamma.shape == beta.shape, "gamma {}, beta {}", gamma.shape.str(), beta.shape.str());
  DSF_DISPATCH(film_forward, ctx, y, x, gamma, beta);
}

void film_backward(const Context& ctx, Gradient dx, Gradient dgamma, Gradient dbeta, ConstTensor dy,
                   ConstTensor x, ConstTensor gamma) {
  check(dy, x, gamma);
  check_like(dx, x);
  check_like(dgamma, gamma);
  check_like(dbeta, gamma);
  DSF_DISPATCH(film_backward, ctx, dx, dgamma, dbeta, dy, x, gamma);
}

}  // namespace dsf
