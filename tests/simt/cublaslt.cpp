// kernels/cublaslt for the simulated GPU: the CPU's matrix product, on copies. What is not part of
// the matrices (between the ends of their rows) is neither read nor written.
#include "kernels/cublaslt/matmul.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "kernels/common/checks.h"
#include "kernels/common/device_memory.h"
#include "kernels/onednn/matmul.h"
#include "tests/simt/cuda_half.h"
#include "tests/simt/device.h"

namespace dsf::cublaslt {
namespace {

bool fits_vectors(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % 16 == 0;
}

/// `value` with `bits` bits of mantissa, to the nearest, ties to even.
float rounded(float value, int bits) {
  const int dropped = 23 - bits;
  uint32_t word = std::bit_cast<uint32_t>(value);
  if ((word & 0x7F800000U) == 0x7F800000U) return value;  // infinite, NaN
  word += (1U << (dropped - 1)) - 1 + ((word >> dropped) & 1U);
  return std::bit_cast<float>(word & ~((1U << dropped) - 1));
}

/// The rows of a matrix in device memory, one behind the other; an operand as the precision has it.
std::vector<float> fetch(const Context& ctx, const float* matrix, int64_t rows, int64_t cols,
                         int64_t leading) {
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    cuda::copy_to_host(ctx, values.data() + r * cols, matrix + r * leading,
                       static_cast<size_t>(cols) * sizeof(float));
  }
  return values;
}

/// The same of a copy that was rounded to bf16.
std::vector<float> fetch(const Context& ctx, const Rounded& copy, int64_t rows, int64_t cols) {
  DSF_CHECK(fits_vectors(copy.data) && copy.leading % 8 == 0 && copy.leading >= cols,
            "a rounded operand [{}, {}] at {} with rows of {}", rows, cols, copy.data,
            copy.leading);
  std::vector<uint16_t> bits(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    cuda::copy_to_host(ctx, bits.data() + r * cols,
                       static_cast<const uint16_t*>(copy.data) + r * copy.leading,
                       static_cast<size_t>(cols) * sizeof(uint16_t));
  }
  std::vector<float> values(bits.size());
  std::transform(bits.begin(), bits.end(), values.begin(), simt::from_bf16_bits);
  return values;
}

std::vector<float> operand(const Context& ctx, const float* matrix, const Rounded& copy,
                           Transpose transpose, int64_t rows, int64_t cols, int64_t leading) {
  if (transpose == Transpose::yes) std::swap(rows, cols);
  if (copy.data) return fetch(ctx, copy, rows, cols);
  std::vector<float> values = fetch(ctx, matrix, rows, cols, leading);
  if (ctx.precision == Precision::fp32) return values;
  for (float& value : values) value = rounded(value, ctx.precision == Precision::tf32 ? 10 : 7);
  return values;
}

onednn::Transpose host(Transpose transpose) {
  return transpose == Transpose::yes ? onednn::Transpose::yes : onednn::Transpose::no;
}

}  // namespace

// When else cuBLASLt cannot is its own affair.
bool can_sum(const Context&, const Product& p) {
  return p.m > 0 && p.n > 0 && sums_fit_vectors(p);
}

bool takes_copies(const Context&, const Product&) {
  return true;
}

// It takes large products to be worth it; tests are to meet it in small ones, and TF32's cases meet
// the other.
bool worth_rounding(std::initializer_list<const Product*>, int64_t) {
  return true;
}

void matmul(const Context& ctx, const Product& p) {
  if (p.m == 0 || p.n == 0) return;
  if (simt::record([=] { matmul(ctx, p); })) return;
  const std::vector<float> a = operand(ctx, p.a, p.a_rounded, p.transpose_a, p.m, p.k, p.lda);
  const std::vector<float> b = operand(ctx, p.b, p.b_rounded, p.transpose_b, p.k, p.n, p.ldb);
  if (p.a_sums) {
    DSF_CHECK(can_sum(ctx, p) && !p.bias && !p.relu, "sums of a product [{}, {}]·[{}, {}]", p.m,
              p.k, p.k, p.n);
    const bool transposed = p.transpose_a == Transpose::yes;
    std::vector<float> sums(static_cast<size_t>(p.m));
    for (int64_t i = 0; i < p.m * p.k; ++i) {
      sums[static_cast<size_t>(transposed ? i % p.m : i / p.k)] += a[static_cast<size_t>(i)];
    }
    cuda::copy_to_device(ctx, p.a_sums, sums.data(), sums.size() * sizeof(float));
  }
  std::vector<float> c(static_cast<size_t>(p.m * p.n));
  if (p.keep != 0.0F) c = fetch(ctx, p.c, p.m, p.n, p.ldc);
  onednn::matmul(host(p.transpose_a), host(p.transpose_b), p.m, p.n, p.k, a.data(),
                 p.transpose_a == Transpose::yes ? p.m : p.k, b.data(),
                 p.transpose_b == Transpose::yes ? p.k : p.n, p.keep, c.data(), p.n);
  if (p.bias) {
    const std::vector<float> bias = fetch(ctx, p.bias, 1, p.n, p.n);
    for (int64_t i = 0; i < p.m * p.n; ++i) {
      c[static_cast<size_t>(i)] += bias[static_cast<size_t>(i % p.n)];
    }
  }
  if (p.relu) {
    for (float& value : c) value = std::max(value, 0.0F);
  }
  for (int64_t r = 0; r < p.m; ++r) {
    simt::copy(p.c + r * p.ldc, c.data() + r * p.n, static_cast<size_t>(p.n) * sizeof(float),
               simt::Copy::to_device);
  }
}

}  // namespace dsf::cublaslt
