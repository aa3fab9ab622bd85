#include "kernels/onednn/matmul.h"

#include <dnnl.h>

#include "kernels/common/checks.h"

namespace dsf::onednn {

void matmul(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k,
            const float* a, int64_t lda, const float* b, int64_t ldb, float keep, float* c,
            int64_t ldc) {
  if (m == 0 || n == 0) return;
  const auto letter = [](Transpose transpose) { return transpose == Transpose::yes ? 'T' : 'N'; };
  const dnnl_status_t status = dnnl_sgemm(letter(transpose_a), letter(transpose_b), m, n, k, 1.0F,
                                          a, lda, b, ldb, keep, c, ldc);
  if (status != dnnl_success) {
    fail("oneDNN refused the matrix product [{}, {}]·[{}, {}], status {}", m, k, k, n,
         static_cast<int>(status));
  }
}

}  // namespace dsf::onednn
