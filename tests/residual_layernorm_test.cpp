// The residual connection fused with the norm: the same bits as one after the other, gradients that
// share a buffer or are unwanted, and what is refused.
#include "kernels/layernorm/residual_layernorm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/layernorm/layernorm.h"
#include "kernels/residual/residual.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

using Values = std::vector<float>;

constexpr int64_t kRows = 45;

Values wave(int64_t size, double frequency) {
  Values values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(0.5 + std::sin(frequency * static_cast<double>(i + 1)));
  }
  return values;
}

class ResidualLayerNorm : public ::testing::TestWithParam<int64_t> {
 protected:
  Tensor matrix(Values& values) const { return {values.data(), {kRows, cols}}; }
  Tensor vector(Values& values) const {
    return {values.data(), {static_cast<int64_t>(values.size())}};
  }
  Values elements() const { return Values(static_cast<size_t>(kRows * cols)); }

  const int64_t cols = GetParam();
  const DropoutStream dropout{0.2F, {5, 6, 7}};
  const Context ctx;
  Values weight = wave(cols, 0.2), bias = wave(cols, 0.9);
  Values sum = elements(), y = elements(), mean = Values(kRows), rstd = Values(kRows);
  Values dy = wave(kRows * cols, 0.3), past = wave(kRows * cols, 0.8);
};

TEST_P(ResidualLayerNorm, ForwardIsTheTwoOpsOneAfterTheOther) {
  Values branch = wave(kRows * cols, 0.1), skip = wave(kRows * cols, 0.7);
  residual_forward(ctx, matrix(sum), matrix(branch), matrix(skip), dropout);
  layernorm_forward(ctx, matrix(y), vector(mean), vector(rstd), matrix(sum), vector(weight),
                    vector(bias));
  Values fused_y = elements(), fused_mean(kRows), fused_rstd(kRows);
  Values over = skip;  // sum in its place
  residual_layernorm_forward(ctx, matrix(fused_y), matrix(over), vector(fused_mean),
                             vector(fused_rstd), matrix(branch), matrix(over), dropout,
                             vector(weight), vector(bias));
  EXPECT_EQ(over, sum);
  EXPECT_EQ(fused_y, y);
  EXPECT_EQ(fused_mean, mean);
  EXPECT_EQ(fused_rstd, rstd);
}

TEST_P(ResidualLayerNorm, BackwardIsTheTwoOpsOneAfterTheOther) {
  sum = wave(kRows * cols, 0.4);
  layernorm_forward(ctx, matrix(y), vector(mean), vector(rstd), matrix(sum), vector(weight),
                    vector(bias));
  Values dsum = past, dbranch = elements(), dweight = weight, dbias = bias;
  layernorm_backward(ctx, accumulate(matrix(dsum)), accumulate(vector(dweight)),
                     accumulate(vector(dbias)), matrix(dy), matrix(sum), vector(mean), vector(rstd),
                     vector(weight));
  residual_backward(ctx, overwrite(matrix(dbranch)), {}, matrix(dsum), dropout);
  Values fused_dsum = past, fused_dbranch = elements(), fused_dweight = weight, fused_dbias = bias;
  residual_layernorm_backward(ctx, accumulate(matrix(fused_dsum)), overwrite(matrix(fused_dbranch)),
                              accumulate(vector(fused_dweight)), accumulate(vector(fused_dbias)),
                              matrix(dy), matrix(sum), vector(mean), vector(rstd), vector(weight),
                              dropout);
  EXPECT_EQ(fused_dsum, dsum);
  EXPECT_EQ(fused_dbranch, dbranch);
  EXPECT_EQ(fused_dweight, dweight);
  EXPECT_EQ(fused_dbias, dbias);
}

TEST_P(ResidualLayerNorm, SumsGradientMayBeWrittenOverItsNorms) {
  sum = wave(kRows * cols, 0.4);
  mean = wave(kRows, 0.1), rstd = wave(kRows, 0.2);
  const auto backward = [&](const Gradient& dsum, const Gradient& dbranch, Values& dweight) {
    residual_layernorm_backward(ctx, dsum, dbranch, overwrite(vector(dweight)), {}, matrix(dy),
                                matrix(sum), vector(mean), vector(rstd), vector(weight), dropout);
  };
  Values dsum = elements(), dbranch = elements(), dweight(weight.size());
  backward(overwrite(matrix(dsum)), overwrite(matrix(dbranch)), dweight);
  Values alone = elements(), over_dbranch = elements(), over_dweight(weight.size());
  backward(overwrite(matrix(alone)), {}, over_dweight);
  EXPECT_EQ(alone, dsum);
  backward(overwrite(matrix(dy)), overwrite(matrix(over_dbranch)), over_dweight);
  EXPECT_EQ(dy, dsum);
  EXPECT_EQ(over_dbranch, dbranch);
  EXPECT_EQ(over_dweight, dweight);
}

TEST_P(ResidualLayerNorm, RefusesANormOverWhatItIsOfOrOfAnotherShape) {
  Values branch = wave(kRows * cols, 0.1), skip = wave(kRows * cols, 0.7);
  for (Values* over : {&sum, &branch, &skip}) {
    testing::expect_error<Error>(
        [&] {
          residual_layernorm_forward(ctx, matrix(*over), matrix(sum), vector(mean), vector(rstd),
                                     matrix(branch), matrix(skip), dropout, {}, {});
        },
        {"lies over sum, branch or skip"});
  }
  testing::expect_error<Error>(
      [&] {
        residual_layernorm_backward(ctx, overwrite(matrix(past)), {}, {}, {}, vector(bias),
                                    matrix(sum), vector(mean), vector(rstd), {}, dropout);
      },
      {fmt::format("dy [{}]", cols)});
}

TEST_P(ResidualLayerNorm, RefusesGradientsThatWouldBeReadAfterTheyAreWritten) {
  Values dbranch = elements();
  const auto backward = [&](const Gradient& dsum, const Gradient& branch) {
    residual_layernorm_backward(ctx, dsum, branch, {}, {}, matrix(dy), matrix(sum), vector(mean),
                                vector(rstd), {}, dropout);
  };
  EXPECT_THROW(backward(accumulate(matrix(dy)), overwrite(matrix(dbranch))), Error);
  EXPECT_THROW(backward(overwrite(matrix(past)), overwrite(matrix(past))), Error);
  EXPECT_THROW(backward(overwrite(matrix(past)), overwrite(matrix(dy))), Error);
  EXPECT_THROW(backward({}, overwrite(matrix(dbranch))), Error);
}

INSTANTIATE_TEST_SUITE_P(Columns, ResidualLayerNorm, ::testing::Values(9, 512));

}  // namespace
}  // namespace dsf
