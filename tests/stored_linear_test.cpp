// Products of weights that are kept in bf16 or in integers of eight bits.
#include "kernels/stored_linear/stored_linear.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "kernels/common/random.h"
#include "tests/expect_error.h"
#include "tests/sum_tolerance.h"

namespace dsf {
namespace {

using testing::expect_error;

constexpr WeightFormat kFormats[] = {WeightFormat::fp32, WeightFormat::bf16, WeightFormat::int8};

std::vector<float> random_values(int64_t count, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 2 * to_unit(random_words({seed, 0, 0}, i)[0]) - 1;
  }
  return values;
}

StoredWeights stored(WeightFormat format, std::vector<float> values, const Shape& shape) {
  return {format, ConstTensor(values.data(), shape)};
}

TEST(StoredWeights, AreRoundedToNearest) {
  const auto bf16 = [](float value) {
    return stored(WeightFormat::bf16, {value}, {1, 1}).floats()[0];
  };
  EXPECT_EQ(bf16(1.0F), 1.0F);
  EXPECT_EQ(bf16(0x1.01p0F), 1.0F) << "a tie, to even";
  EXPECT_EQ(bf16(0x1.03p0F), 0x1.04p0F) << "a tie, to even";
  EXPECT_EQ(bf16(0x1.010002p0F), 0x1.02p0F);
  EXPECT_EQ(bf16(-0x1.feffp10F), -0x1.fep10F);
  EXPECT_EQ(bf16(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(bf16(std::bit_cast<float>(0x7F800001U)))) << "no infinity";
  // Rows of their own factors: 127 / 2 and 127 / 254.
  const std::vector<float> rows = {2, -2, 1, 0, 254, 3, -1, 0.9F};
  const std::vector<float> expected = {2, -2, 128.0F / 127, 0, 254, 4, 0, 0};
  const auto integers = stored(WeightFormat::int8, rows, {2, 4}).floats();
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_FLOAT_EQ(integers[i], expected[i]) << i;
  EXPECT_EQ(stored(WeightFormat::int8, {0, 0}, {1, 2}).floats(), std::vector<float>({0, 0}));
  EXPECT_EQ(stored(WeightFormat::int8, {190 * 0x1p-149F, 0}, {1, 2}).floats()[0], 127 * 0x1p-149F);
  EXPECT_EQ(stored(WeightFormat::fp32, rows, {2, 4}).floats(), rows);
}

TEST(StoredWeights, OfIntegersAreFinite) {
  for (const float value : {INFINITY, -INFINITY, NAN}) {
    expect_error<Error>([&] { stored(WeightFormat::int8, {1, value}, {1, 2}); }, {"int8"});
  }
}

TEST(StoredWeights, HaveNames) {
  for (const WeightFormat format : kFormats) {
    EXPECT_EQ(parse_weight_format(name_of(format), "--weights"), format);
  }
  expect_error<UsageError>([] { parse_weight_format("fp16", "--weights"); },
                           {"--weights fp16", "fp32, bf16 or int8"});
}

/// y of what the weights say, in double precision.
std::vector<double> reference(const std::vector<float>& x, const std::vector<float>& w,
                              const std::vector<float>& b, int64_t rows, int64_t inputs) {
  const auto outputs = static_cast<int64_t>(w.size()) / inputs;
  std::vector<double> y;
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t o = 0; o < outputs; ++o) {
      double sum = b.empty() ? 0.0 : double{b[static_cast<size_t>(o)]};
      for (int64_t i = 0; i < inputs; ++i) {
        sum +=
            double{x[static_cast<size_t>(m * inputs + i)]} * w[static_cast<size_t>(o * inputs + i)];
      }
      y.push_back(sum);
    }
  }
  return y;
}

struct Size {
  int64_t rows, inputs, outputs;
};

TEST(StoredLinear, MultipliesWhatTheWeightsSay) {
  for (const auto& [rows, inputs, outputs] :
       {Size{1, 512, 1536}, {2, 63, 7}, {3, 200, 33}, {4, 1, 5}, {5, 64, 32}, {9, 130, 70}}) {
    std::vector<float> x = random_values(rows * inputs, 1), b = random_values(outputs, 2);
    std::vector<float> w = random_values(outputs * inputs, 3);
    for (const WeightFormat format : kFormats) {
      const StoredWeights weights = stored(format, w, {outputs, inputs});
      for (const bool bias : {true, false}) {
        const auto expected =
            reference(x, weights.floats(), bias ? b : std::vector<float>(), rows, inputs);
        std::vector<float> y(expected.size(), NAN), relu = y;
        const Tensor to(y.data(), {rows, outputs});
        const ConstTensor from(x.data(), {rows, inputs});
        const ConstTensor added = bias ? ConstTensor(b.data(), {outputs}) : ConstTensor();
        stored_linear_forward({}, to, from, weights.matrix(), added);
        stored_linear_relu_forward({}, {relu.data(), to.shape}, from, weights.matrix(), added);
        double error = 0, norm = 0;
        for (size_t i = 0; i < y.size(); ++i) {
          error += std::pow(y[i] - expected[i], 2);
          norm += std::pow(expected[i], 2);
          EXPECT_EQ(relu[i], y[i] > 0 ? y[i] : 0.0F);
        }
        EXPECT_LT(std::sqrt(error / norm), testing::sum_tolerance(inputs).value)
            << name_of(format) << " " << rows << " x " << inputs << " x " << outputs;
      }
    }
  }
}

TEST(StoredLinear, TakesRowsOfAMatrix) {
  const std::vector<float> x = random_values(40, 1);
  const StoredWeights whole = stored(WeightFormat::int8, random_values(240, 2), {6, 40});
  std::vector<float> all(6), part(2);
  stored_linear_forward({}, {all.data(), {1, 6}}, {x.data(), {1, 40}}, whole.matrix(), {});
  stored_linear_forward({}, {part.data(), {1, 2}}, {x.data(), {1, 40}}, whole.matrix().slice(3, 2),
                        {});
  EXPECT_EQ(part, std::vector<float>(all.begin() + 3, all.begin() + 5));
}

TEST(StoredLinear, IsForTheCpu) {
  const std::vector<float> x = random_values(8, 1);
  const StoredWeights w = stored(WeightFormat::bf16, x, {1, 8});
  std::vector<float> y(1);
  expect_error<Error>(
      [&] {
        stored_linear_forward({Device::cuda, nullptr}, {y.data(), {1, 1}}, {x.data(), {1, 8}},
                              w.matrix(), {});
      },
      {"bf16", "GPU"});
}

}  // namespace
}  // namespace dsf
