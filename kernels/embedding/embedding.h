#pragma once
// Code embeddings of N codebooks, side by side: y[m, n·P + e] = tables[n, tokens[m, n], e], P =
// E/N.
#include "kernels/common/dispatch.h"

namespace dsf {

/// tokens [M, N], each in [0, V); tables [N, V, E/N]; y [M, E]. Backward reads tokens.
/// A token outside its table is an Error, raised before anything is written, in both directions. On
/// a GPU the host does not read tokens: forward gives NaN for such a one, backward passes it over.
DSF_OP(void embedding_forward(const Context& ctx, Tensor y, ConstIndexTensor tokens,
                              ConstTensor tables))

/// dtables[n, v, :] = Σ of dy's part n over the positions whose token n is v, in their order (on a
/// GPU: over each eighth of the positions, then over these).
DSF_OP(void embedding_backward(const Context& ctx, Gradient dtables, ConstTensor dy,
                               ConstIndexTensor tokens))

}  // namespace dsf
