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

}  // namespace dsf
