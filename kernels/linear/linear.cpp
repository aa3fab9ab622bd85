#include "kernels/linear/linear.h"

namespace dsf {
namespace {

void check_bias(ConstTensor b, int64_t outputs) {
  DSF_CHECK(!b || (b.rank() == 1 && b.dim(0) == outputs), "b {} for {} outputs", b.shape.str(),
            outputs);
}

void check_forward(ConstTensor y, ConstTensor x, ConstTensor w, ConstTensor b) {
  DSF_CHECK(w.rank() == 2 && w.dim(1) == x.cols(), "w {} over x {}", w.shape.str(), x.shape.str());
  DSF_CHECK(y.cols() == w.dim(0) && y.rows() == x.rows(), "y {} from x {}, w {}", y.shape.str(),
            x.shape.str(), w.shape.str());
  check_bias(b, w.dim(0));
}

void check_like(const Gradient& gradient, const Shape& shape) {
  DSF_CHECK(!gradient || gradient.tensor.shape == shape, "gradient {} of {}",
            gradient.tensor.shape.str(), shape.str());
}

void check_backward(const Gradient& dx, const Gradient& dw, const Gradient& db, ConstTensor dy,
                    ConstTensor x, ConstTensor w) {
  DSF_CHECK(w.rank() == 2 && w.dim(1) == x.cols(), "w {} over x {}", w.shape.str(), x.shape.str());
  DSF_CHECK(dy.cols() == w.dim(0) && dy.rows() == x.rows(), "dy {} for x {}, w {}", dy.shape.str(),
            x.shape.str(), w.shape.str());
  check_like(dx, x.shape);
  check_like(dw, w.shape);
  check_bias(db.tensor, w.dim(0));
}

void check_concat(ConstTensor y, ConstTensor x, ConstTensor c, ConstTensor w, ConstTensor scratch) {
  DSF_CHECK(w.rank() == 2 && w.dim(1) == x.cols() + c.cols(), "w {} over x {} and c {}",
            w.shape.str(), x.shape.str(), c.shape.str());
  DSF_CHECK(y.cols() == w.dim(0) && y.rows() == x.rows(), "y {} from x {}, w {}", y.shape.str(),
            x.shape.str(), w.shape.str());
  DSF_CHECK(c.rows() > 0 && x.rows() % c.rows() == 0, "{} rows of x, {} of c", x.rows(), c.rows());
  DSF_CHECK(scratch.rows() == c.rows() && scratch.cols() == w.dim(0), "scratch {} for c {}, w {}",
            scratch.shape.str(), c.shape.str(), w.shape.str());
}

}  // namespace

void linear_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b) {
  check_forward(y, x, w, b);
  DSF_DISPATCH(linear_forward, ctx, y, x, w, b);
}

void linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                         ConstTensor b) {
  check_forward(y, x, w, b);
  DSF_DISPATCH(linear_relu_forward, ctx, y, x, w, b);
}

void linear_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                     ConstTensor x, ConstTensor w) {
  check_backward(dx, dw, db, dy, x, w);
  DSF_DISPATCH(linear_backward, ctx, dx, dw, db, dy, x, w);
}

void linear_relu_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                          ConstTensor y, ConstTensor x, ConstTensor w, Tensor dsum) {
  check_backward(dx, dw, db, dy, x, w);
  DSF_CHECK(y.shape == dy.shape && dsum.shape == dy.shape, "y {} and dsum {} for dy {}",
            y.shape.str(), dsum.shape.str(), dy.shape.str());
  DSF_DISPATCH(linear_relu_backward, ctx, dx, dw, db, dy, y, x, w, dsum);
}

void linear_concat_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor c,
                           ConstTensor w, ConstTensor b, Tensor c_product) {
  check_concat(y, x, c, w, c_product);
  check_bias(b, w.dim(0));
  DSF_DISPATCH(linear_concat_forward, ctx, y, x, c, w, b, c_product);
}

void linear_concat_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                            ConstTensor dy, ConstTensor x, ConstTensor c, ConstTensor w,
                            Tensor dy_sums) {
  check_concat(dy, x, c, w, dy_sums);
  check_like(dx, x.shape);
  check_like(dw, w.shape);
  check_bias(db.tensor, w.dim(0));
  DSF_DISPATCH(linear_concat_backward, ctx, dx, dw, db, dy, x, c, w, dy_sums);
}

}  // namespace dsf
