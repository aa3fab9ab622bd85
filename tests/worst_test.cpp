#include "tests/worst.h"

#include <gtest/gtest.h>

namespace dsf::testing {
namespace {

TEST(Worst, IsTheLargerAndKeepsNaN) {
  EXPECT_EQ(worse(1, 2), 2);
  EXPECT_EQ(worse(2, 1), 2);
  for (const double other : {0.0, 1.0, double{INFINITY}}) {
    EXPECT_TRUE(std::isnan(worse(NAN, other)));  // found earlier
    EXPECT_TRUE(std::isnan(worse(other, NAN)));  // found now
  }
}

}  // namespace
}  // namespace dsf::testing
