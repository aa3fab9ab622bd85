#include "kernels/residual_vq/residual_vq.h"

namespace dsf {

void residual_vq_decode(const Context& ctx, Tensor z, ConstIndexTensor codes,
                        const ResidualVq& vq) {
  const auto& [codebooks, w, b] = vq;
  DSF_CHECK(codebooks.rank() == 3 && w.rank() == 3 && b.rank() == 2 &&
                w.dim(0) == codebooks.dim(0) && w.dim(1) == codebooks.dim(2) &&
                b.shape == Shape({w.dim(0), w.dim(2)}),
            "codebooks {}, w {}, b {}", codebooks.shape.str(), w.shape.str(), b.shape.str());
  DSF_CHECK(codes.rank() == 3 && codes.dim(1) <= codebooks.dim(0), "codes {} for {} codebooks",
            codes.shape.str(), codebooks.dim(0));
  const Shape expected{codes.dim(0), codes.dim(2), w.dim(2)};
  DSF_CHECK(z.shape == expected, "z {}, expected {}", z.shape.str(), expected.str());
  DSF_DISPATCH(residual_vq_decode, ctx, z, codes, vq);
}

}  // namespace dsf
