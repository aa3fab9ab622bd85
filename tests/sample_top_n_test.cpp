// Properties of sampling that single draws do not show.
#include "kernels/sample_top_n/sample_top_n.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace dsf {
namespace {

int32_t draw(const std::vector<float>& logits, const SampleSettings& settings, uint32_t step) {
  const int32_t seed[2] = {5, 0};
  int32_t token = -1;
  sample_top_n(Context{}, {&token, {1}}, {logits.data(), {1, static_cast<int64_t>(logits.size())}},
               settings, {{seed, {1, 2}}, 3, int64_t{step}});
  return token;
}

TEST(SampleTopN, DrawsAsOftenAsTheSoftmaxSays) {
  constexpr int kDraws = 100'000;
  const std::vector<float> logits{0.5F, 2.0F, -1.0F, 2.0F, 1.0F, 0.0F};
  const SampleSettings settings{4, 0.8F};  // keeps 1, 3, 4, 0
  std::vector<double> expected(logits.size(), 0.0);
  double total = 0;
  for (const size_t i : {0UL, 1UL, 3UL, 4UL}) {
    total += expected[i] = std::exp(static_cast<double>(logits[i] / settings.temperature));
  }
  std::vector<int> counts(logits.size(), 0);
  for (uint32_t i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(draw(logits, settings, i))];
  double chi_square = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double mean = kDraws * expected[i] / total;
    if (mean == 0) {
      EXPECT_EQ(counts[i], 0) << "index " << i << " is not among the top";
    } else {
      chi_square += std::pow(counts[i] - mean, 2) / mean;
    }
  }
  EXPECT_LT(chi_square, 16.27);  // 3 degrees of freedom, one in a thousand
}

TEST(SampleTopN, WhatIsMuchLessLikelyThanTheLikeliestIsLeftOut) {
  const std::vector<float> logits{0, std::log(0.5F), std::log(0.26F), std::log(0.24F)};
  std::vector<int> counts(logits.size(), 0);
  for (uint32_t i = 0; i < 2000; ++i) {
    ++counts[static_cast<size_t>(draw(logits, {100, 1.0F, 0.25F}, i))];
  }
  EXPECT_EQ(counts[3], 0);
  EXPECT_NEAR(counts[2], 2000 * 0.26 / 1.76, 60);  // 3.7 deviations
}

TEST(SampleTopN, OfEqualLogitsTheLowerIndexIsKept) {
  const std::vector<float> logits{1.0F, 3.0F, 3.0F, 3.0F};
  EXPECT_EQ(draw(logits, {1, 1.0F}, 0), 1);
  for (uint32_t step = 0; step < 200; ++step) EXPECT_NE(draw(logits, {2, 1.0F}, step), 3);
  EXPECT_EQ(draw({-1.0F, -0.0F, 0.0F, -2.0F}, {1, 1.0F}, 0), 1);
  EXPECT_EQ(draw({-3.0F, -1.5F, -1.25F, -2.0F}, {1, 1.0F}, 0), 2);
}

TEST(SampleTopN, RefusesWhatCannotBeDrawnFrom) {
  const std::vector<float> logits{0.0F, 1.0F};
  EXPECT_THROW(draw(logits, {0, 1.0F}, 0), Error);
  EXPECT_THROW(draw(logits, {1, 0.0F}, 0), Error);
  EXPECT_THROW(draw(logits, {1, 1.0F, -0.1F}, 0), Error);
  EXPECT_THROW(draw(logits, {1, 1.0F, 1.1F}, 0), Error);
  EXPECT_THROW(draw({0.0F, std::numeric_limits<float>::quiet_NaN()}, {1, 1.0F}, 0), Error);
  EXPECT_THROW(draw({0.0F, std::numeric_limits<float>::infinity()}, {1, 1.0F}, 0), Error);
}

}  // namespace
}  // namespace dsf
