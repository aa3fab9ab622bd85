#pragma once
// Residual vector quantisation of the Descript Audio Codec: a latent frame is a sum of codewords of
// several codebooks, each looked up in few dimensions and projected to the latent's.
#include "kernels/common/dispatch.h"

namespace dsf {

/// M codebooks of V codewords in D dimensions, and their projections to L dimensions.
struct ResidualVq {
  ConstTensor codebooks;  // [M, V, D]
  ConstTensor w;          // [M, D, L]: out_proj weights, transposed so that a codeword's share of z
                          // is D scaled contiguous rows
  ConstTensor b;          // [M, L]
};

/// z[n,t] = Σ_m b[m] + codebooks[m][codes[n,m,t]]·w[m] over the N ≤ M leading codebooks.
/// codes [B, N, T], z [B, T, L]. A code outside [0, V) is an Error that says where it stands. On a
/// GPU the host does not read codes: the frame of such a one becomes NaN.
DSF_OP(void residual_vq_decode(const Context& ctx, Tensor z, ConstIndexTensor codes,
                               const ResidualVq& vq))

/// Dimensions of a codeword that encoding can search in at most.
inline constexpr int64_t kMaxCodewordDims = 64;

/// Of a projection's numbers; beyond it scores could overflow.
inline constexpr float kMaxProjection = 1e30F;

/// What encoding needs besides: the way down to a codebook's D dimensions, and its codewords as
/// directions.
struct ResidualVqSearch {
  ConstTensor w;           // [M, L, D]: in_proj weights, transposed
  ConstTensor b;           // [M, D]
  ConstTensor directions;  // [M, D, V]: codewords divided by their length, codewords last
};

/// For each of the N leading codebooks in turn, r being what is left of z, at first all of it:
///   p = b_in[m] + r·w_in[m];  codes[n,m,t] = argmax_v p·directions[m][:,v];
///   r −= b[m] + codebooks[m][codes[n,m,t]]·w[m].
/// The codeword nearest to p once both have unit length; of equally near ones the first.
/// codes [B, N, T]; projections [B, T, N·D] gets every p; residual [B, T, L] is z before and r
/// after. Where p has a number beyond kMaxProjection or one that is none (or the directions have
/// none), the code is −1 and nothing is taken from r: whoever fetches the codes says so.
DSF_OP(void residual_vq_encode(const Context& ctx, IndexTensor codes, Tensor projections,
                               Tensor residual, const ResidualVq& vq,
                               const ResidualVqSearch& search))

}  // namespace dsf
