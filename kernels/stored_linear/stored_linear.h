#pragma once
// y = x·Wᵀ + b as kernels/linear, with W in float32, bf16 or integers of eight bits: of a few rows,
// such as a generated frame is, a product takes as long as W takes to come from memory. x, b, y and
// sums are float32 whatever W is. Forward only; on a GPU W is float32.
#include <vector>

#include "kernels/common/dispatch.h"
#include "kernels/common/weight_matrix.h"

namespace dsf {

/// A copy of weights [out, in] in a format. bf16: rounded to nearest, ties to even. int8: a row's
/// factor is its largest magnitude / 127, and integers are rounded in the same way; a row with a
/// number that is not finite is an Error.
class StoredWeights {
 public:
  StoredWeights(WeightFormat format, ConstTensor w);

  /// A view, of this object's memory. What it says, as float32 [out, in], is `floats`.
  WeightMatrix matrix() const;
  std::vector<float> floats() const;

 private:
  WeightFormat format_;
  Shape shape_;
  std::vector<uint16_t> numbers_;  // of bf16 one each, of int8 two each, of float32 a half each
  std::vector<float> scales_;
};

/// y[m,o] = Σ_i x[m,i]·w[o,i] + b[o]. x [M, I] (leading axes are flattened), w [O, I], b [O] or
/// empty, y [M, O].
void stored_linear_forward(const Context& ctx, Tensor y, ConstTensor x, const WeightMatrix& w,
                           ConstTensor b);
/// y = max(that, 0).
void stored_linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, const WeightMatrix& w,
                                ConstTensor b);

namespace cpu {
/// Of W in another format than float32.
void stored_linear_forward(const Context& ctx, Tensor y, ConstTensor x, const WeightMatrix& w,
                           ConstTensor b);
}  // namespace cpu

}  // namespace dsf
