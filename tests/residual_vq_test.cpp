// What residual_vq.h promises beyond its cases: of latents that are no numbers there is no code.
#include "kernels/residual_vq/residual_vq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace dsf {
namespace {

TEST(ResidualVq, LatentsThatAreNoNumbersHaveNoCode) {
  constexpr int64_t kFrames = 5, kBooks = 2, kCodes = 3, kDims = 2, kLatents = 4;
  const auto wave = [](int64_t size, double frequency) {
    std::vector<float> values(static_cast<size_t>(size));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(std::sin(frequency * static_cast<double>(i + 1)));
    }
    return values;
  };
  std::vector<float> codebooks = wave(kBooks * kCodes * kDims, 0.3),
                     w = wave(kBooks * kDims * kLatents, 0.4), b = wave(kBooks * kLatents, 1),
                     w_in = wave(kBooks * kLatents * kDims, 0.6), b_in = wave(kBooks * kDims, 2),
                     directions = wave(kBooks * kDims * kCodes, 0.8);
  const auto encode = [&](std::vector<float>& z) {
    std::vector<int32_t> codes(kBooks * kFrames, 99);
    std::vector<float> projections(kFrames * kBooks * kDims);
    residual_vq_encode({}, {codes.data(), {1, kBooks, kFrames}},
                       {projections.data(), {1, kFrames, kBooks * kDims}},
                       {z.data(), {1, kFrames, kLatents}},
                       {{codebooks.data(), {kBooks, kCodes, kDims}},
                        {w.data(), {kBooks, kDims, kLatents}},
                        {b.data(), {kBooks, kLatents}}},
                       {{w_in.data(), {kBooks, kLatents, kDims}},
                        {b_in.data(), {kBooks, kDims}},
                        {directions.data(), {kBooks, kDims, kCodes}}});
    return codes;
  };
  const std::vector<float> whole = wave(kFrames * kLatents, 0.7);
  std::vector<float> z = whole;
  const std::vector<int32_t> usual = encode(z);
  std::vector<float> damaged = whole;
  damaged[1 * kLatents] = std::numeric_limits<float>::quiet_NaN();
  damaged[2 * kLatents + 1] = -std::numeric_limits<float>::infinity();
  damaged[4 * kLatents + 3] = 3e38F;
  const std::vector<int32_t> codes = encode(damaged);
  for (size_t m = 0; m < kBooks; ++m) {
    for (size_t t = 0; t < kFrames; ++t) {
      const size_t at = m * kFrames + t;
      EXPECT_TRUE(usual[at] >= 0 && usual[at] < kCodes);
      EXPECT_EQ(codes[at], t == 0 || t == 3 ? usual[at] : -1) << m << ", " << t;
    }
  }
  // Nothing was taken from what has no code.
  EXPECT_EQ(damaged[4 * kLatents], whole[4 * kLatents]);
}

}  // namespace
}  // namespace dsf
