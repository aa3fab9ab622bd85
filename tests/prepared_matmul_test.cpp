// Products through prepared code, against sums in double precision.
#include "kernels/onednn/prepared_matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "kernels/common/bfloat16.h"
#include "kernels/common/checks.h"
#include "kernels/common/context.h"
#include "kernels/common/parallel.h"
#include "kernels/common/random.h"
#include "tests/sum_tolerance.h"
#include "tests/without_bf16.h"

namespace dsf::onednn {
namespace {

std::vector<float> numbers(int64_t count, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 2 * to_unit(random_words({seed, 0, 0}, i)[0]) - 1;
  }
  return values;
}

struct Form {
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  float keep = 0;
  bool bias = false, relu = false, bf16 = false;
};

float rounded(float value, bool bf16) {
  return bf16 ? from_bf16(to_bf16(value)) : value;
}

/// A product with its operands, between whose rows lie kGap numbers that are not its.
struct Case {
  static constexpr int64_t kGap = 3;
  Product product;
  std::vector<float> a, b, c, bias;

  Case(const Form& form, int64_t m, int64_t n, int64_t k, uint64_t seed = 1) {
    const auto shape = [](Transpose transpose, int64_t rows, int64_t cols) {
      return transpose == Transpose::yes ? std::pair{cols, rows + kGap}
                                         : std::pair{rows, cols + kGap};
    };
    const auto [a_rows, lda] = shape(form.transpose_a, m, k);
    const auto [b_rows, ldb] = shape(form.transpose_b, k, n);
    a = numbers(a_rows * lda, 4 * seed);
    b = numbers(b_rows * ldb, 4 * seed + 1);
    c = numbers(m * (n + kGap), 4 * seed + 2);
    bias = numbers(n, 4 * seed + 3);
    product.transpose_a = form.transpose_a;
    product.transpose_b = form.transpose_b;
    product.m = m;
    product.n = n;
    product.k = k;
    product.a = a.data();
    product.lda = lda;
    product.b = b.data();
    product.ldb = ldb;
    product.keep = form.keep;
    product.c = c.data();
    product.ldc = n + kGap;
    product.bias = form.bias ? bias.data() : nullptr;
    product.relu = form.relu;
    product.bf16 = form.bf16;
  }

  double expected(const std::vector<float>& before, int64_t i, int64_t j) const {
    const Product& p = product;
    double sum = p.bias ? p.bias[j] : 0.0;
    if (p.keep != 0.0F) sum += before[static_cast<size_t>(i * p.ldc + j)];
    for (int64_t s = 0; s < p.k; ++s) {
      const float x = p.transpose_a == Transpose::yes ? p.a[s * p.lda + i] : p.a[i * p.lda + s];
      const float y = p.transpose_b == Transpose::yes ? p.b[j * p.ldb + s] : p.b[s * p.ldb + j];
      sum += static_cast<double>(rounded(x, p.bf16)) * rounded(y, p.bf16);
    }
    return p.relu ? std::max(sum, 0.0) : sum;
  }

  /// Old values that are not to be kept are NaN; what lies between C's rows must stay.
  void run_and_expect() {
    const Product& p = product;
    if (p.keep == 0.0F) {
      for (int64_t i = 0; i < p.m; ++i) {
        std::fill_n(c.begin() + i * p.ldc, p.n, std::numeric_limits<float>::quiet_NaN());
      }
    }
    const std::vector<float> before = c;
    prepared_matmul(p);
    double error = 0, norm = 0;
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.ldc; ++j) {
        const auto at = static_cast<size_t>(i * p.ldc + j);
        if (j >= p.n) {
          ASSERT_EQ(c[at], before[at]) << "behind row " << i;
          continue;
        }
        const double wanted = expected(before, i, j);
        error += (c[at] - wanted) * (c[at] - wanted);
        norm += wanted * wanted;
      }
    }
    EXPECT_LE(std::sqrt(error), testing::sum_tolerance(p.k + 2).value * std::sqrt(norm))
        << p.m << " x " << p.n << " x " << p.k;
  }
};

void expect_every_form(bool bf16) {
  for (const Transpose a : {Transpose::no, Transpose::yes}) {
    for (const Transpose b : {Transpose::no, Transpose::yes}) {
      for (const float keep : {0.0F, 1.0F}) {
        for (const bool bias : {false, true}) {
          for (const bool relu : {false, true}) {
            const Form form{a, b, keep, bias, relu, bf16};
            Case(form, 2, 3, 1).run_and_expect();
            Case(form, 5, 33, 17).run_and_expect();
            Case(form, 40, 7, 65).run_and_expect();
          }
        }
      }
    }
  }
}

TEST(PreparedMatmul, IsTheProductInEveryForm) {
  expect_every_form(false);
}

// Emulated processors without it are among those that this runs on.
TEST(PreparedMatmul, KnowsWhetherTheProcessorHasBf16) {
  EXPECT_EQ(has_bf16(), __builtin_cpu_supports("avx512bf16") != 0);
  EXPECT_THROW(make_context("cpu", "tf32"), UsageError);
  if (has_bf16()) {
    EXPECT_EQ(make_context("cpu", "bf16").precision, Precision::bf16);
  } else {
    EXPECT_THROW(make_context("cpu", "bf16"), UsageError);
  }
}

TEST(PreparedMatmul, IsTheProductOfRoundedOperands) {
  if (!has_bf16()) GTEST_SKIP() << testing::kWithoutBf16;
  expect_every_form(true);
  Case exact({}, 600, 70, 90), rounded({.bf16 = true}, 600, 70, 90);
  for (int round = 0; round < 2; ++round) {
    exact.run_and_expect();  // of the same shape
    rounded.run_and_expect();
  }
}

TEST(PreparedMatmul, IsTheProductWhereAnOperandIsPacked) {
  for (const Transpose b : {Transpose::no, Transpose::yes}) {
    Case({.transpose_b = b, .keep = 1, .bias = true, .relu = true}, 600, 70, 90).run_and_expect();
    Case({.transpose_a = Transpose::yes, .transpose_b = b}, 513, 513, 31).run_and_expect();
  }
}

// What is kept of a shape is its code, and nothing of the operands that it was first called with.
TEST(PreparedMatmul, OperandsOfOneShapeInTurn) {
  for (const int64_t m : {40, 600}) {  // the latter packed
    const Form form{.transpose_b = Transpose::yes, .bias = true};
    Case one(form, m, 33, 50, 1), other(form, m, 33, 50, 2), wider(form, m, 34, 60, 3);
    for (int round = 0; round < 2; ++round) {
      one.run_and_expect();
      other.run_and_expect();
      wider.run_and_expect();
    }
  }
}

TEST(PreparedMatmul, MoreShapesThanAreKept) {
  Case first({.bias = true}, 600, 9, 12, 1);
  first.run_and_expect();
  for (int64_t m = 1; m <= 100; ++m) Case({.bias = true}, m, 9, 12).run_and_expect();
  first.run_and_expect();
  first.run_and_expect();
}

TEST(PreparedMatmul, TheSameBitsOnAnyThread) {
  const auto result = [](int threads) {
    const ThreadLimit limit(threads);
    Case c({.transpose_b = Transpose::yes, .bias = true, .relu = true}, 600, 64, 100);
    c.run_and_expect();
    return c.c;
  };
  const std::vector<float> alone = result(1), together = result(2);
  EXPECT_EQ(result(1), alone);
  EXPECT_EQ(result(2), together);
  std::vector<float> elsewhere;
  std::thread([&] { elsewhere = result(1); }).join();
  EXPECT_EQ(elsewhere, alone);
}

TEST(PreparedMatmul, WhatIsNone) {
  Case c({}, 3, 4, 5);
  const std::vector<float> before = c.c;
  c.product.m = 0;
  prepared_matmul(c.product);
  EXPECT_EQ(c.c, before);
  c.product.m = 3;
  c.product.k = 0;
  EXPECT_THROW(prepared_matmul(c.product), Error);
  c.product.k = 5;
  c.product.keep = 0.5F;
  EXPECT_THROW(prepared_matmul(c.product), Error);
}

}  // namespace
}  // namespace dsf::onednn
