// Dropout and the residual connection where gradients share a buffer or are unwanted, and rates
// that are refused.
#include "kernels/dropout/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/residual/residual.h"

namespace dsf {
namespace {

constexpr int64_t kSize = 2500;  // more than two of the kernels' tiles, and not a whole number

using Values = std::vector<float>;

Tensor view(Values& values) {
  return {values.data(), {static_cast<int64_t>(values.size())}};
}

Values wave(double frequency) {
  Values values(kSize);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(1.5 + std::sin(frequency * static_cast<double>(i)));
  }
  return values;
}

class DropoutTest : public ::testing::TestWithParam<float> {
 protected:
  DropoutStream dropout{GetParam(), {5, 6, 7}};
  Context ctx;
};

TEST_P(DropoutTest, BackwardMayWriteOverItsGradient) {
  Values dy = wave(0.1), dx(kSize);
  dropout_backward(ctx, overwrite(view(dx)), view(dy), dropout);
  dropout_backward(ctx, overwrite(view(dy)), view(dy), dropout);
  EXPECT_EQ(dy, dx);
}

TEST_P(DropoutTest, ResidualBackwardMayWriteOverItsGradient) {
  const Values dy = wave(0.3);
  Values read = dy, dbranch(kSize), dskip(kSize);
  residual_backward(ctx, overwrite(view(dbranch)), overwrite(view(dskip)), view(read), dropout);
  EXPECT_EQ(dskip, dy);
  Values shared = dy, other(kSize);
  residual_backward(ctx, overwrite(view(other)), overwrite(view(shared)), view(shared), dropout);
  EXPECT_EQ(other, dbranch);
  EXPECT_EQ(shared, dy);
  residual_backward(ctx, overwrite(view(shared)), overwrite(view(other)), view(shared), dropout);
  EXPECT_EQ(shared, dbranch);
  EXPECT_EQ(other, dy);
  EXPECT_THROW(residual_backward(ctx, overwrite(view(other)), accumulate(view(other)), view(shared),
                                 dropout),
               Error);
}

TEST_P(DropoutTest, UnwantedGradientsAreLeftOut) {
  Values dy = wave(0.3), dbranch(kSize), dskip(kSize);
  residual_backward(ctx, overwrite(view(dbranch)), {}, view(dy), dropout);
  residual_backward(ctx, {}, overwrite(view(dskip)), view(dy), dropout);
  Values expected(kSize);
  dropout_forward(ctx, view(expected), view(dy), dropout);
  EXPECT_EQ(dbranch, expected);
  EXPECT_EQ(dskip, dy);
  EXPECT_NO_THROW(dropout_backward(ctx, {}, view(dy), dropout));
}

INSTANTIATE_TEST_SUITE_P(Rates, DropoutTest, ::testing::Values(0.0F, 0.2F));

TEST(Dropout, RefusesRatesOutsideZeroToOne) {
  Values x(8), y(8);
  for (const float rate : {-0.1F, 1.0F, 1.5F, NAN}) {
    const DropoutStream dropout{rate, {}};
    EXPECT_THROW(dropout_forward({}, view(y), view(x), dropout), Error) << rate;
    EXPECT_THROW(dropout_backward({}, overwrite(view(y)), view(x), dropout), Error) << rate;
    EXPECT_THROW(residual_forward({}, view(y), view(x), view(x), dropout), Error) << rate;
    EXPECT_THROW(residual_backward({}, overwrite(view(y)), {}, view(x), dropout), Error) << rate;
  }
}

}  // namespace
}  // namespace dsf
