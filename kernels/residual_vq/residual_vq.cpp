#include "kernels/residual_vq/residual_vq.h"

namespace dsf {
namespace {

void check_quantizer(const ResidualVq& vq, ConstIndexTensor codes) {
  const auto& [codebooks, w, b] = vq;
  DSF_CHECK(codebooks.rank() == 3 && w.rank() == 3 && b.rank() == 2 &&
                w.dim(0) == codebooks.dim(0) && w.dim(1) == codebooks.dim(2) &&
                b.shape == Shape({w.dim(0), w.dim(2)}),
            "codebooks {}, w {}, b {}", codebooks.shape.str(), w.shape.str(), b.shape.str());
  DSF_CHECK(codes.rank() == 3 && codes.dim(1) <= codebooks.dim(0), "codes {} for {} codebooks",
            codes.shape.str(), codebooks.dim(0));
}

}  // namespace

void residual_vq_decode(const Context& ctx, Tensor z, ConstIndexTensor codes,
                        const ResidualVq& vq) {
  check_quantizer(vq, codes);
  const Shape expected{codes.dim(0), codes.dim(2), vq.w.dim(2)};
  DSF_CHECK(z.shape == expected, "z {}, expected {}", z.shape.str(), expected.str());
  DSF_DISPATCH(residual_vq_decode, ctx, z, codes, vq);
}

void residual_vq_encode(const Context& ctx, IndexTensor codes, Tensor projections, Tensor residual,
                        const ResidualVq& vq, const ResidualVqSearch& search) {
  check_quantizer(vq, codes);
  const int64_t count = vq.codebooks.dim(0), size = vq.codebooks.dim(1), dims = vq.codebooks.dim(2),
                latents = vq.w.dim(2);
  DSF_CHECK(dims <= kMaxCodewordDims, "codewords of {} dimensions, at most {} are supported", dims,
            kMaxCodewordDims);
  DSF_CHECK(search.w.shape == Shape({count, latents, dims}) &&
                search.b.shape == Shape({count, dims}) &&
                search.directions.shape == Shape({count, dims, size}),
            "w {}, b {}, directions {} for codebooks {}", search.w.shape.str(),
            search.b.shape.str(), search.directions.shape.str(), vq.codebooks.shape.str());
  const Shape expected{codes.dim(0), codes.dim(2), latents};
  DSF_CHECK(residual.shape == expected, "residual {}, expected {}", residual.shape.str(),
            expected.str());
  const Shape expected_projections{codes.dim(0), codes.dim(2), codes.dim(1) * dims};
  DSF_CHECK(projections.shape == expected_projections, "projections {}, expected {}",
            projections.shape.str(), expected_projections.str());
  DSF_DISPATCH(residual_vq_encode, ctx, codes, projections, residual, vq, search);
}

}  // namespace dsf
