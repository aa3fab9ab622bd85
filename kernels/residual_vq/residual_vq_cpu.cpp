#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/residual_vq/residual_vq.h"

namespace dsf::cpu {

static void check_codes(ConstIndexTensor codes, int64_t codebook_size) {
  for (int64_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >= 0 && codes[i] < codebook_size) continue;
    const int64_t frames = codes.dim(2);
    fail("code {} of codebook {} at frame {} is outside 0 … {}", codes[i],
         i / frames % codes.dim(1), i % frames, codebook_size - 1);
  }
}

/// z += b + Σ_d codeword[d]·w[d].
DSF_MULTIVERSION static void add_codeword(float* __restrict z, const float* __restrict codeword,
                                          const float* __restrict w, const float* __restrict b,
                                          int64_t dims, int64_t latents) {
  for (int64_t l = 0; l < latents; ++l) z[l] += b[l];
  for (int64_t d = 0; d < dims; ++d) {
    const float scale = codeword[d];
    for (int64_t l = 0; l < latents; ++l) z[l] += scale * w[d * latents + l];
  }
}

void residual_vq_decode(const Context&, Tensor z, ConstIndexTensor codes, const ResidualVq& vq) {
  const int64_t size = vq.codebooks.dim(1), dims = vq.codebooks.dim(2), latents = vq.w.dim(2);
  const int64_t used = codes.dim(1), frames = codes.dim(2);
  check_codes(codes, size);
  parallel_for(z.rows(), std::max<int64_t>(1, 16384 / std::max<int64_t>(used * dims * latents, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r) {
                   const int32_t* frame = codes.data + r / frames * used * frames + r % frames;
                   std::fill_n(z.row(r), latents, 0.0F);
                   for (int64_t m = 0; m < used; ++m) {
                     add_codeword(z.row(r),
                                  vq.codebooks.data + (m * size + frame[m * frames]) * dims,
                                  vq.w.data + m * dims * latents, vq.b.row(m), dims, latents);
                   }
                 }
               });
}

}  // namespace dsf::cpu
