#include "kernels/gradient_norm/gradient_norm.h"

namespace dsf {

void gradient_norm(const Context& ctx, Tensor norm, ConstTensor g, Tensor block_sums) {
  const int64_t blocks = (g.size() + kNormBlock - 1) / kNormBlock;
  DSF_CHECK(norm.size() == 1 && block_sums.size() >= blocks, "norm {}, block_sums {} for {} blocks",
            norm.shape.str(), block_sums.shape.str(), blocks);
  DSF_DISPATCH(gradient_norm, ctx, norm, g, block_sums);
}

}  // namespace dsf
