// Which products are asked for their sums: the same here as on a GPU.
#include "kernels/cublaslt/matmul.h"

#include <gtest/gtest.h>

namespace dsf::cublaslt {
namespace {

TEST(SimtCublaslt, SumsAreOfProductsOfWholeVectors) {
  alignas(16) float memory[8] = {};
  Product fits{Transpose::yes, Transpose::no, 8, 12, 5, memory, 8, memory, 12, 0, memory, 12};
  fits.a_sums = memory;
  const auto sums = [&](const auto& change) {
    Product product = fits;
    change(product);
    return can_sum(Context{Device::cuda}, product);
  };
  EXPECT_TRUE(sums([](Product&) {}));
  EXPECT_TRUE(sums([](Product& p) { p.k = 7; }));
  EXPECT_FALSE(sums([](Product& p) { p.m = 6; }));
  EXPECT_FALSE(sums([](Product& p) { p.n = 63; }));
  EXPECT_FALSE(sums([](Product& p) { p.m = 0; }));
  EXPECT_FALSE(sums([](Product& p) { ++p.a; }));
  EXPECT_FALSE(sums([](Product& p) { ++p.b; }));
  EXPECT_FALSE(sums([](Product& p) { ++p.c; }));
  EXPECT_FALSE(sums([](Product& p) { ++p.a_sums; }));
}

}  // namespace
}  // namespace dsf::cublaslt
