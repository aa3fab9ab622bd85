#pragma once
// Matrix products on a GPU, through cuBLASLt. This folder alone knows its API; the simulation
// answers the same call with the CPU's product (tests/simt/cublaslt.cpp).
#include <cstdint>
#include <initializer_list>

#include "kernels/common/context.h"

namespace dsf::cublaslt {

enum class Transpose { no, yes };

/// A copy of an operand, stored as it is, rounded to bf16: aligned to 16 bytes, as are its rows.
struct Rounded {
  const void* data = nullptr;
  int64_t leading = 0;  // a multiple of 8
};

/// C = A·B + keep·C + bias, or max(that, 0), for row-major matrices in device memory with leading
/// dimensions lda, ldb, ldc: A is [m, k] (or, transposed, stored as [k, m]), B is [k, n] (or stored
/// as [n, k]), C is [m, n], bias [n] or null, added to every row.
struct Product {
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  int64_t lda = 0;
  const float* b = nullptr;
  int64_t ldb = 0;
  float keep = 0;  // of C's old values; 0: C is not read
  float* c = nullptr;
  int64_t ldc = 0;
  const float* bias = nullptr;
  bool relu = false;
  /// [m] or null: becomes the sum over k of each row of A, as the product reads it. Where A is dyᵀ,
  /// that is a bias's gradient. Not together with bias or relu, and not every product can do it.
  float* a_sums = nullptr;
  /// Both or none: read in the place of A and B, where cuBLASLt can.
  Rounded a_rounded = {}, b_rounded = {};
};

/// Whether what a product with `a_sums` reads and writes is vectors throughout. Others are left to
/// the plain product: cuBLASLt of CUDA 11.6 is known to have written outside the sums of some.
inline bool sums_fit_vectors(const Product& product) {
  constexpr int64_t kElements = 4;
  const auto read = [](const float* matrix, const Rounded& copy) {
    return copy.data ? copy.data : matrix;
  };
  const void* const addresses[] = {read(product.a, product.a_rounded),
                                   read(product.b, product.b_rounded), product.c, product.a_sums};
  for (const void* address : addresses) {
    if (reinterpret_cast<uintptr_t>(address) % (kElements * sizeof(float)) != 0) return false;
  }
  return product.m % kElements == 0 && product.n % kElements == 0;
}

/// Queues the product on the stream of `ctx`, in the precision that it asks for; sums are float32.
/// One of nothing (m or n is 0) is done. The first call for a stream allocates a workspace, which
/// later ones share; the first of each shape looks for an algorithm. The same bits every time.
[[gnu::weak]] void matmul(const Context& ctx, const Product& product);
/// Frees a stream's workspace, if it has one, when its products are done.
[[gnu::weak]] void release_workspace(void* stream) noexcept;

/// Whether cuBLASLt has an algorithm for a product with `a_sums` that is worth while; ask before,
/// as matmul fails where it has none.
[[gnu::weak]] bool can_sum(const Context& ctx, const Product& product);

/// Whether cuBLASLt can read the rounded copies of a product's operands, which matmul otherwise
/// does without.
[[gnu::weak]] bool takes_copies(const Context& ctx, const Product& product);

/// Whether products are done sooner if their operands, of `elements` numbers, are rounded to bf16
/// before. Any of the products may be of nothing (m = 0).
[[gnu::weak]] bool worth_rounding(std::initializer_list<const Product*> products, int64_t elements);

}  // namespace dsf::cublaslt
