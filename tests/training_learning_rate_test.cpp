// The learning rate as a function of the step.
#include "engine/training/learning_rate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace dsf {
namespace {

constexpr auto kCosine = LearningRateSchedule::cosine;
constexpr auto kConstant = LearningRateSchedule::constant;

TEST(LearningRateTest, IsConstantByDefault) {
  const LearningRate rate{5e-4F};
  EXPECT_FALSE(rate.varies());
  for (const int64_t step : {1, 2, 1000, 1'000'000'000}) EXPECT_EQ(rate.at(step), 5e-4F);
}

TEST(LearningRateTest, WarmsUpEvenly) {
  const LearningRate rate{0.8F, kConstant, 4, 0, 10};
  EXPECT_TRUE(rate.varies());
  EXPECT_FLOAT_EQ(rate.at(1), 0.2F);
  EXPECT_FLOAT_EQ(rate.at(2), 0.4F);
  EXPECT_FLOAT_EQ(rate.at(3), 0.6F);
  EXPECT_EQ(rate.at(4), 0.8F);
  EXPECT_EQ(rate.at(5), 0.8F);
  EXPECT_EQ(rate.at(10), 0.8F);
}

TEST(LearningRateTest, FallsAlongACosine) {
  const LearningRate rate{1.0F, kCosine, 0, 0.1F, 8};
  EXPECT_TRUE(rate.varies());
  EXPECT_EQ(rate.at(1), 1.0F);
  // torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=0.1), steps 1 to 8.
  const double expected[] = {1.0,  0.96574579, 0.86819805, 0.72220754,
                             0.55, 0.37779246, 0.23180195, 0.13425421};
  for (int64_t step = 1; step <= 8; ++step) {
    EXPECT_NEAR(rate.at(step), expected[step - 1], 1e-7) << step;  // a rounding of 2^-24
  }
  EXPECT_EQ(rate.at(9), 0.1F);
  EXPECT_EQ(rate.at(1000), 0.1F);
}

TEST(LearningRateTest, TheCosineBeginsWhereTheWarmUpEnds) {
  const LearningRate rate{2.0F, kCosine, 10, 0.5F, 110};
  EXPECT_FLOAT_EQ(rate.at(5), 1.0F);
  EXPECT_EQ(rate.at(10), 2.0F);
  EXPECT_EQ(rate.at(11), 2.0F);
  EXPECT_FLOAT_EQ(rate.at(61), 1.25F);  // half-way
  for (int64_t step = 11; step < 110; ++step) EXPECT_GT(rate.at(step), rate.at(step + 1)) << step;
  EXPECT_EQ(rate.at(111), 0.5F);
}

TEST(LearningRateTest, AWarmUpMayTakeTheWholeRun) {
  const LearningRate rate{1.0F, kCosine, 100, 0, 50};
  EXPECT_FLOAT_EQ(rate.at(50), 0.5F);
}

}  // namespace
}  // namespace dsf
