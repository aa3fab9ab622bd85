#pragma once
// Matrix products whose shapes come again and again, as a training step's do, through oneDNN.
#include <cstdint>

#include "kernels/onednn/matmul.h"

namespace dsf::onednn {

/// Whether this processor multiplies bfloat16 numbers (AVX512-BF16, perhaps AMX).
bool has_bf16();

/// C = A·B + keep·C + bias, or max(that, 0), for row-major matrices with leading dimensions lda,
/// ldb, ldc: A is [m, k] (or, transposed, stored as [k, m]), B is [k, n] (or stored as [n, k]), C
/// is [m, n], bias [n] or null, added to every row.
struct Product {
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  int64_t lda = 0;
  const float* b = nullptr;
  int64_t ldb = 0;
  float keep = 0;  // of C's old values, 0 or 1; 0: C is not read
  float* c = nullptr;
  int64_t ldc = 0;
  const float* bias = nullptr;
  bool relu = false;
  bool bf16 = false;  // A and B are rounded to bfloat16, sums are float32; needs has_bf16()
};

/// Computes it on all threads of the calling one; bias, ReLU and old values are added where sums
/// are in registers. The first call of a shape on a thread prepares code and memory (about a tenth
/// of a millisecond), which that thread keeps for later ones.
void prepared_matmul(const Product& product);

}  // namespace dsf::onednn
