// What no case with scores of ordinary size shows.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/common/random.h"

namespace dsf {
namespace {

struct Values {
  Values(const Shape& shape, double scale, uint64_t seed)
      : data(static_cast<size_t>(shape.size())) {
    for (size_t i = 0; i < data.size(); ++i) {
      const uint32_t word = random_words({seed, 0, 0}, i)[0];
      data[i] = static_cast<float>(scale * (word * 0x1p-31 - 1));
    }
    tensor = {data.data(), shape};
  }
  std::vector<float> data;
  Tensor tensor;
};

// Probabilities of a row sum to one, in backward too. So where every row of dy is the same, the
// gradients of the values add up to it times the number of rows, whatever the scores are, and that
// of a query is finite.
TEST(Attention, BackwardSeesTheProbabilitiesOfForwardForScoresOfAnySize) {
  constexpr int64_t kLength = 40, kEmbed = 12, kHeads = 2, kLookback = 9;
  const Shape shape{1, kLength, kEmbed};
  for (const double scale : {1.0, 1e2, 1e4, 1e8}) {
    Values q(shape, scale, 1), k(shape, scale, 2), v(shape, 1, 3), y(shape, 0, 4), dy(shape, 0, 5);
    Values softmax({1, kHeads, kLength, 2}, 0, 6);
    Values dq(shape, 0, 7), dk(shape, 0, 8), dv(shape, 0, 9);
    for (int64_t i = 0; i < shape.size(); ++i) {
      dy.data[static_cast<size_t>(i)] = static_cast<float>(i % kEmbed + 1);
    }
    const Context ctx;
    attention_forward(ctx, y.tensor, softmax.tensor, q.tensor, k.tensor, v.tensor, kHeads,
                      kLookback, {});
    attention_backward(ctx, overwrite(dq.tensor), overwrite(dk.tensor), overwrite(dv.tensor),
                       dy.tensor, y.tensor, softmax.tensor, q.tensor, k.tensor, v.tensor, kHeads,
                       kLookback, {});
    for (int64_t channel = 0; channel < kEmbed; ++channel) {
      double sum = 0;
      for (int64_t t = 0; t < kLength; ++t) {
        const auto at = static_cast<size_t>(t * kEmbed + channel);
        sum += static_cast<double>(dv.data[at]);
        EXPECT_TRUE(std::isfinite(dq.data[at]) && std::isfinite(dk.data[at])) << scale;
      }
      const auto expected = static_cast<double>(kLength * (channel + 1));
      // A sum of probabilities rounds lookback + 1 times, a sum over rows as often.
      EXPECT_NEAR(sum / expected, 1, (kLookback + 1) * 0x1p-24) << "scale " << scale;
    }
  }
}

}  // namespace
}  // namespace dsf
