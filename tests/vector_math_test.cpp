// The accuracy that kernels/common/vector_math.h states.
#include "kernels/common/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worst.h"

namespace dsf {
namespace {

TEST(VectorMath, ExpIsWithinItsStatedError) {
  double worst = 0;
  for (double x = -87.0; x < 88.0; x += 0.00137) {
    const auto value = static_cast<float>(x);
    const double expected = std::exp(static_cast<double>(value));
    worst = testing::worse(worst, std::abs(fast_exp(value) - expected) / expected);
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(fast_exp(-100.0F), 0.0F);
  EXPECT_EQ(fast_exp(-INFINITY), 0.0F);
  EXPECT_EQ(fast_exp(0.0F), 1.0F);
}

TEST(VectorMath, SinSquaredIsWithinItsStatedError) {
  double worst = 0;
  for (double x = -100.0; x < 100.0; x += 0.00031) {
    const auto value = static_cast<float>(x);
    const double sine = std::sin(static_cast<double>(value));
    worst = testing::worse(worst, std::abs(fast_sin_squared(value) - sine * sine));
  }
  EXPECT_LT(worst, 3e-7);
  EXPECT_EQ(fast_sin_squared(0.0F), 0.0F);
}

}  // namespace
}  // namespace dsf
