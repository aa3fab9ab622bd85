#pragma once
// Products of few rows of x with rows of W in any format: W is read in its memory order, once.
#include "kernels/common/weight_matrix.h"

namespace dsf::cpu {

/// Of x, at most.
inline constexpr int64_t kFewRows = 4;

enum class Activation { none, relu };

/// y[m, o] = activation(Σ_i x[m, i]·w[o, i] + b[o]) for o in [begin, end), by the calling thread; y
/// [M, O], x [M, I], b [O] or null, M up to kFewRows. Rows of W do not depend on each other.
void multiply_rows(Tensor y, ConstTensor x, const WeightMatrix& w, const float* b,
                   Activation activation, int64_t begin, int64_t end);

}  // namespace dsf::cpu
