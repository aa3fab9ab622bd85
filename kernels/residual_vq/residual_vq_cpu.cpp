#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

/// p = b + r·w. Sums are in double: a rounding here can change a code.
DSF_MULTIVERSION static void project(float* __restrict p, const float* __restrict residual,
                                     const float* __restrict w, const float* __restrict b,
                                     int64_t dims, int64_t latents) {
  double sums[kMaxCodewordDims];
  for (int64_t d = 0; d < dims; ++d) sums[d] = b[d];
  for (int64_t l = 0; l < latents; ++l) {
    const double r = residual[l];
    for (int64_t d = 0; d < dims; ++d) sums[d] += r * w[l * dims + d];
  }
  for (int64_t d = 0; d < dims; ++d) p[d] = static_cast<float>(sums[d]);
}

static bool has_nearest(const float* p, int64_t dims) {
  return std::all_of(p, p + dims, [](float x) { return std::abs(x) <= kMaxProjection; });
}

/// The first of the codewords with the largest p·direction, −1 if no product is a number. `scores`
/// [V] is scratch.
DSF_MULTIVERSION static int32_t nearest(float* __restrict scores, const float* __restrict p,
                                        const float* __restrict directions, int64_t dims,
                                        int64_t size) {
  for (int64_t v = 0; v < size; ++v) scores[v] = 0;
  for (int64_t d = 0; d < dims; ++d) {
    const float scale = p[d];
    for (int64_t v = 0; v < size; ++v) scores[v] += scale * directions[d * size + v];
  }
  int32_t code = -1;
  float best = -std::numeric_limits<float>::infinity();
  for (int64_t v = 0; v < size; ++v) {
    if (!(scores[v] > best)) continue;
    best = scores[v];
    code = static_cast<int32_t>(v);
  }
  return code;
}

/// r −= b + codeword·w.
DSF_MULTIVERSION static void subtract_codeword(float* __restrict residual,
                                               const float* __restrict codeword,
                                               const float* __restrict w, const float* __restrict b,
                                               int64_t dims, int64_t latents) {
  for (int64_t l = 0; l < latents; ++l) {
    float sum = b[l];
    for (int64_t d = 0; d < dims; ++d) sum += codeword[d] * w[d * latents + l];
    residual[l] -= sum;
  }
}

void residual_vq_encode(const Context&, IndexTensor codes, Tensor projections, Tensor residual,
                        const ResidualVq& vq, const ResidualVqSearch& search) {
  const int64_t size = vq.codebooks.dim(1), dims = vq.codebooks.dim(2), latents = vq.w.dim(2);
  const int64_t used = codes.dim(1), frames = codes.dim(2);
  const int64_t frame_work = used * dims * (2 * latents + size);
  parallel_for(
      residual.rows(), std::max<int64_t>(1, 16384 / std::max<int64_t>(frame_work, 1)),
      [&](int64_t begin, int64_t end) {
        std::vector<float> scores(static_cast<size_t>(size));
        for (int64_t r = begin; r < end; ++r) {
          int32_t* frame = codes.data + r / frames * used * frames + r % frames;
          for (int64_t m = 0; m < used; ++m) {
            float* p = projections.row(r) + m * dims;
            project(p, residual.row(r), search.w.data + m * latents * dims, search.b.row(m), dims,
                    latents);
            const float* directions = search.directions.data + m * dims * size;
            const int32_t code =
                has_nearest(p, dims) ? nearest(scores.data(), p, directions, dims, size) : -1;
            frame[m * frames] = code;
            if (code < 0) continue;
            subtract_codeword(residual.row(r), vq.codebooks.data + (m * size + code) * dims,
                              vq.w.data + m * dims * latents, vq.b.row(m), dims, latents);
          }
        }
      });
}

}  // namespace dsf::cpu
