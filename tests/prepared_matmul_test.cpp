// Products through prepared code, against sums in double precision.
#include "kernels/onednn/prepared_matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/common/random.h"

namespace dsf::onednn {
namespace {

std::vector<float> numbers(int64_t count, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 2 * to_unit(random_words({seed, 0, 0}, i)[0]) - 1;
  }
  return values;
}

/// A product with its operands, which lie `kGap` numbers apart from row to row.
struct Case {
  static constexpr int64_t kGap = 3;
  Product product;
  std::vector<float> a, b, c, bias;

  Case(Transpose transpose_a, Transpose transpose_b, int64_t m, int64_t n, int64_t k, float keep,
       bool has_bias, bool relu) {
    const auto stored = [](Transpose transpose, int64_t rows, int64_t cols) {
      return transpose == Transpose::yes ? std::pair{cols, rows + kGap}
                                         : std::pair{rows, cols + kGap};
    };
    const auto [a_rows, lda] = stored(transpose_a, m, k);
    const auto [b_rows, ldb] = stored(transpose_b, k, n);
    a = numbers(a_rows * lda, 1);
    b = numbers(b_rows * ldb, 2);
    c = numbers(m * (n + kGap), 3);
    bias = numbers(n, 4);
    product = {transpose_a,
               transpose_b,
               m,
               n,
               k,
               a.data(),
               lda,
               b.data(),
               ldb,
               keep,
               c.data(),
               n + kGap,
               has_bias ? bias.data() : nullptr,
               relu};
  }

  double expected(const std::vector<float>& before, int64_t i, int64_t j) const {
    const Product& p = product;
    double sum = p.bias ? p.bias[j] : 0.0;
    if (p.keep != 0.0F) sum += before[static_cast<size_t>(i * p.ldc + j)];
    for (int64_t s = 0; s < p.k; ++s) {
      const float x = p.transpose_a == Transpose::yes ? p.a[s * p.lda + i] : p.a[i * p.lda + s];
      const float y = p.transpose_b == Transpose::yes ? p.b[j * p.ldb + s] : p.b[s * p.ldb + j];
      sum += static_cast<double>(x) * y;
    }
    return p.relu ? std::max(sum, 0.0) : sum;
  }

  /// Of all of C; what lies between its rows must stay.
  void run_and_expect() {
    const std::vector<float> before = c;
    prepared_matmul(product);
    const double limit = 2e-7 * std::sqrt(static_cast<double>(product.k)) * 8;
    for (int64_t i = 0; i < product.m; ++i) {
      for (int64_t j = 0; j < product.ldc; ++j) {
        const auto at = static_cast<size_t>(i * product.ldc + j);
        if (j >= product.n) {
          ASSERT_EQ(c[at], before[at]) << "behind row " << i;
        } else {
          ASSERT_NEAR(c[at], expected(before, i, j), limit) << "row " << i << ", column " << j;
        }
      }
    }
  }
};

TEST(PreparedMatmul, IsTheProductInEveryForm) {
  for (const Transpose transpose_a : {Transpose::no, Transpose::yes}) {
    for (const Transpose transpose_b : {Transpose::no, Transpose::yes}) {
      for (const float keep : {0.0F, 1.0F}) {
        for (const bool bias : {false, true}) {
          for (const bool relu : {false, true}) {
            for (const auto& [m, n, k] :
                 {std::array<int64_t, 3>{1, 1, 1}, {5, 33, 17}, {40, 7, 65}}) {
              SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k);
              Case(transpose_a, transpose_b, m, n, k, keep, bias, relu).run_and_expect();
            }
          }
        }
      }
    }
  }
}

TEST(PreparedMatmul, IsTheProductWhereAnOperandIsPacked) {
  for (const Transpose transpose_b : {Transpose::no, Transpose::yes}) {
    Case(Transpose::no, transpose_b, 600, 70, 90, 1.0F, true, true).run_and_expect();
    Case(Transpose::yes, transpose_b, 513, 513, 31, 0.0F, false, false).run_and_expect();
  }
}

TEST(PreparedMatmul, OtherOperandsOfAShapeAndMoreShapesThanAreKept) {
  for (int round = 0; round < 2; ++round) {
    for (int64_t m = 1; m <= 70; ++m) {
      Case(Transpose::no, Transpose::yes, m, 9, 12, 0.0F, true, false).run_and_expect();
    }
  }
}

TEST(PreparedMatmul, TheSameOnAnyThreadAndNumberOfThreads) {
  const auto result = [](int threads) {
    const ThreadLimit limit(threads);
    Case c(Transpose::no, Transpose::yes, 600, 64, 100, 0.0F, true, true);
    prepared_matmul(c.product);
    return c.c;
  };
  const std::vector<float> alone = result(1);
  EXPECT_EQ(result(2), alone);
  EXPECT_EQ(result(1), alone);
  std::vector<float> elsewhere;
  std::thread([&] { elsewhere = result(1); }).join();
  EXPECT_EQ(elsewhere, alone);
}

TEST(PreparedMatmul, NothingOfNothing) {
  float kept = 7;
  Product product;
  product.n = 1;
  product.k = 1;
  product.c = &kept;
  prepared_matmul(product);
  EXPECT_EQ(kept, 7);
}

}  // namespace
}  // namespace dsf::onednn
