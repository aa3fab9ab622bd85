#include "engine/audio/peak.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

TEST(PeakTest, ScalesDownToTheCeilingByOneFactor) {
  std::vector<float> samples = {0.5F, -2.0F, 1.0F, 0.0F};
  const double gain = limit_peak(samples, -1);
  const double ceiling = std::pow(10.0, -1.0 / 20);  // 0.891
  EXPECT_NEAR(gain, 20 * std::log10(ceiling / 2), 1e-12);
  EXPECT_NEAR(samples[1], -ceiling, 1e-7);
  EXPECT_NEAR(samples[0], ceiling / 4, 1e-7);
  EXPECT_NEAR(samples[2], ceiling / 2, 1e-7);
  EXPECT_EQ(samples[3], 0.0F);
}

TEST(PeakTest, LeavesWhatIsBelowAlone) {
  const std::vector<float> before = {0.89F, -0.5F, 0.1F};
  std::vector<float> samples = before;
  EXPECT_EQ(limit_peak(samples, -1), 0);
  EXPECT_EQ(samples, before);
  std::vector<float> none;
  EXPECT_EQ(limit_peak(none, -1), 0);
}

TEST(PeakTest, RefusesWhatHasNoPeak) {
  std::vector<float> samples = {0.1F, std::numeric_limits<float>::infinity()};
  EXPECT_THROW(limit_peak(samples, -1), Error);
  samples[1] = std::nanf("");
  EXPECT_THROW(limit_peak(samples, -1), Error);
}

}  // namespace
}  // namespace dsf
