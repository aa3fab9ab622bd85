#pragma once
// Products of matrices that are in bfloat16 already.
#include <cstdint>

namespace dsf::onednn {

/// C += A·B for row-major matrices with leading dimensions lda, ldb, ldc: A [m, k] and B [k, n] of
/// bfloat16 numbers, C [m, n] and sums of float32. Needs has_bf16() (prepared_matmul.h, which also
/// says what the first call of a shape costs). Inside a parallel_for it runs on the calling thread,
/// else on all of them.
void bf16_matmul(int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b,
                 int64_t ldb, float* c, int64_t ldc);

}  // namespace dsf::onednn
