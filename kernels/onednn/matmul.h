#pragma once
// Matrix products through oneDNN. This folder alone knows oneDNN's API (2.6 and 3.7 differ).
#include <cstdint>

namespace dsf::onednn {

enum class Transpose { no, yes };

/// C = A·B + keep·C for row-major matrices with leading dimensions lda, ldb, ldc:
/// A is [m, k] (or, transposed, stored as [k, m]), B is [k, n] (or stored as [n, k]), C [m, n].
/// Inside a parallel_for it runs on the calling thread, else on all of them.
void matmul(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k,
            const float* a, int64_t lda, const float* b, int64_t ldb, float keep, float* c,
            int64_t ldc);

}  // namespace dsf::onednn
