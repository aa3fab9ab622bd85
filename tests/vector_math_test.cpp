// The accuracy that kernels/common/vector_math.h states.
#include "kernels/common/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include "tests/worst.h"

namespace dsf {
namespace {

// As the kernels call them: compiled for the machine's instruction set, and for the baseline.
DSF_MULTIVERSION void exp_of(float* y, const float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = fast_exp(x[i]);
}
void baseline_exp_of(float* y, const float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = fast_exp(x[i]);
}
DSF_MULTIVERSION void sin_squared_of(float* y, const float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = fast_sin_squared(x[i]);
}
void baseline_sin_squared_of(float* y, const float* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = fast_sin_squared(x[i]);
}

using Function = void (*)(float*, const float*, int64_t);

std::vector<float> values_of(Function function, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  function(y.data(), x.data(), static_cast<int64_t>(x.size()));
  return y;
}

std::vector<float> range(double begin, double end, double step) {
  std::vector<float> values;
  for (double x = begin; x < end; x += step) values.push_back(static_cast<float>(x));
  return values;
}

TEST(VectorMath, ExpIsWithinItsStatedError) {
  const std::vector<float> x = range(-87.0, 88.0, 0.00137);
  for (const Function function : {exp_of, baseline_exp_of}) {
    const std::vector<float> y = values_of(function, x);
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = std::exp(static_cast<double>(x[i]));
      worst = testing::worse(worst, std::abs(y[i] - expected) / expected);
    }
    EXPECT_LT(worst, 2e-7);
    EXPECT_EQ(values_of(function, {-100.0F, -INFINITY, 0.0F}), (std::vector<float>{0, 0, 1}));
  }
}

// Where a run diverges: NaN stays NaN among other values, and those what they are.
TEST(VectorMath, ExpOfNaNIsNaN) {
  std::vector<float> x(37, 1.0F);
  for (size_t i = 0; i < x.size(); i += 3) x[i] = i % 2 == 0 ? NAN : -NAN;
  for (const Function function : {exp_of, baseline_exp_of}) {
    const std::vector<float> y = values_of(function, x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i % 3 == 0) << i;
      if (i % 3 != 0) {
        EXPECT_NEAR(y[i], std::numbers::e, 2e-7 * std::numbers::e) << i;
      }
    }
  }
}

TEST(VectorMath, SinSquaredIsWithinItsStatedError) {
  for (const auto& [limit, step] : {std::pair{100.0, 0.00031}, std::pair{1e4, 0.0071}}) {
    const std::vector<float> x = range(-limit, limit, step);
    for (const Function function : {sin_squared_of, baseline_sin_squared_of}) {
      const std::vector<float> y = values_of(function, x);
      double worst = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double sine = std::sin(static_cast<double>(x[i]));
        worst = testing::worse(worst, std::abs(y[i] - sine * sine));
      }
      std::printf("    to %-6.0f error %.2e, limit 3e-07\n", limit, worst);
      EXPECT_LT(worst, 3e-7);
      EXPECT_EQ(values_of(function, {0.0F}), std::vector<float>{0.0F});
    }
  }
}

}  // namespace
}  // namespace dsf
