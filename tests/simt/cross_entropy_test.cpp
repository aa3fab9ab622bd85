// Cross-entropy on a GPU where the op cases do not come: targets that do not exist, and logits of
// −∞.
#include "kernels/cross_entropy/cross_entropy.h"

#include <cmath>

#include "tests/simt/device_array.h"

namespace dsf {
namespace {

using simt::DeviceArray;

struct Results {
  std::vector<float> loss, losses, gradient;
};

Results run(const std::vector<float>& logits, const std::vector<int32_t>& targets) {
  const auto rows = static_cast<int64_t>(targets.size());
  const int64_t cols = static_cast<int64_t>(logits.size()) / rows;
  const DeviceArray<float> input(logits), gradient(logits.size()), losses(targets.size()), loss(1);
  const DeviceArray<int32_t> target(targets);
  cross_entropy_forward_backward(Context{Device::cuda}, {loss.data(), {1}}, {losses.data(), {rows}},
                                 overwrite({gradient.data(), {rows, cols}}),
                                 {input.data(), {rows, cols}}, {target.data(), {rows}}, rows);
  return {loss.values(), losses.values(), gradient.values()};
}

TEST(SimtCrossEntropy, ATargetThatDoesNotExistGivesNaN) {
  constexpr int kCols = 37;
  const std::vector<float> logits(size_t{6} * kCols, 0.5F);
  const Results results = run(logits, {0, -2, kCols - 1, kCols, INT32_MIN, INT32_MAX});
  for (size_t row = 0; row < 6; ++row) {
    const bool exists = row == 0 || row == 2;
    EXPECT_EQ(std::isnan(results.losses[row]), !exists) << "row " << row;
    for (size_t v = 0; v < kCols; ++v) {
      EXPECT_EQ(std::isnan(results.gradient[row * kCols + v]), !exists) << "row " << row;
    }
  }
  EXPECT_TRUE(std::isnan(results.loss[0]));
}

TEST(SimtCrossEntropy, ALogitOfMinusInfinityHasNoPart) {
  constexpr size_t kCols = 64;
  std::vector<float> logits(kCols, -INFINITY);
  logits[40] = logits[63] = -4;
  const Results results = run(logits, {40});
  EXPECT_NEAR(results.loss[0], std::log(2.0F), 4 * 0x1p-24);  // log 2 − 4 + 4
  for (size_t v = 0; v < kCols; ++v) {
    EXPECT_FLOAT_EQ(results.gradient[v], v == 40 ? -0.5F : v == 63 ? 0.5F : 0.0F) << "column " << v;
  }
}

}  // namespace
}  // namespace dsf
