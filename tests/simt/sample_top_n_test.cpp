// Sampling on a GPU: the CPU's tokens from rows that are hard to put in order, and what it gives
// where it cannot draw.
#include "kernels/sample_top_n/sample_top_n.h"

#include <cfloat>
#include <cmath>

#include "tests/simt/device_array.h"

namespace dsf {
namespace {

using simt::DeviceArray;

std::vector<int32_t> halves(uint64_t seed) {
  return {static_cast<int32_t>(seed), static_cast<int32_t>(seed >> 32)};
}

std::vector<int32_t> draw(const std::vector<float>& logits, int64_t rows,
                          const SampleSettings& settings, const RandomStream& stream) {
  const int64_t cols = static_cast<int64_t>(logits.size()) / rows;
  const DeviceArray<float> input(logits);
  const DeviceArray<int32_t> seed(halves(stream.seed));
  return simt::same_in_all_schedules([&] {
    const DeviceArray<int32_t> tokens(static_cast<size_t>(rows));
    sample_top_n(Context{Device::cuda}, {tokens.data(), {rows}}, {input.data(), {rows, cols}},
                 settings, {{seed.data(), {1, 2}}, stream.purpose, int64_t{stream.step}});
    return tokens.values();
  });
}

std::vector<int32_t> draw_on_cpu(const std::vector<float>& logits, int64_t rows,
                                 const SampleSettings& settings, const RandomStream& stream) {
  const int64_t cols = static_cast<int64_t>(logits.size()) / rows;
  std::vector<int32_t> tokens(static_cast<size_t>(rows));
  const std::vector<int32_t> seed = halves(stream.seed);
  sample_top_n(Context{}, {tokens.data(), {rows}}, {logits.data(), {rows, cols}}, settings,
               {{seed.data(), {1, 2}}, stream.purpose, int64_t{stream.step}});
  return tokens;
}

/// `size` logits, each one of `values`.
std::vector<float> drawn_from(const std::vector<float>& values, size_t size) {
  std::vector<float> logits(size);
  for (size_t i = 0; i < size; ++i) logits[i] = values[random_words({1}, i)[0] % values.size()];
  return logits;
}

TEST(SimtSampleTopN, KeepsTheLowerOfEqualLogitsAsTheCpuDoes) {
  constexpr int64_t kRows = 6, kCols = 200;
  const std::vector<float> ties = drawn_from({0.0F, -0.0F, 1.5F, -2.0F}, kRows * kCols);
  const std::vector<float> equal(kRows * kCols, -3.0F);
  for (const int64_t top_n : {1, 2, 7, 100, 199, 200, 500}) {
    for (const auto& logits : {ties, equal}) {
      const SampleSettings settings{top_n, 2.0F};
      const RandomStream stream{7, 3, static_cast<uint32_t>(top_n)};
      EXPECT_EQ(draw(logits, kRows, settings, stream), draw_on_cpu(logits, kRows, settings, stream))
          << "top " << top_n;
    }
  }
}

TEST(SimtSampleTopN, TakesLogitsOfAnySize) {
  constexpr int64_t kRows = 8, kCols = 40;
  const std::vector<float> logits =
      drawn_from({FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, FLT_MIN / 4, 80.0F, 0.0F}, kRows * kCols);
  for (const float temperature : {1.0F, FLT_MAX}) {
    const SampleSettings settings{25, temperature};
    EXPECT_EQ(draw(logits, kRows, settings, {9}), draw_on_cpu(logits, kRows, settings, {9}));
  }
}

TEST(SimtSampleTopN, KeepsMoreThanItSortsAtATime) {
  constexpr int64_t kRows = 2, kCols = 1300;
  // Flat, so that draws fall into every chunk, and with ties across the chunks' ends.
  const std::vector<float> logits = drawn_from({0.1F, 0.2F, 0.3F, 0.4F, 0.5F}, kRows * kCols);
  for (const int64_t top_n : {1025, 1300}) {
    const SampleSettings settings{top_n, 1.0F};
    const RandomStream stream{11, 3, static_cast<uint32_t>(top_n)};
    EXPECT_EQ(draw(logits, kRows, settings, stream), draw_on_cpu(logits, kRows, settings, stream))
        << "top " << top_n;
  }
}

TEST(SimtSampleTopN, OfARowWithoutOrderItGivesNoToken) {
  constexpr int64_t kRows = 5, kCols = 50;
  std::vector<float> logits = drawn_from({1.0F, 2.0F, 3.0F}, kRows * kCols);
  const std::vector<int32_t> expected = draw_on_cpu(logits, kRows, {10}, {4});
  logits[0 * kCols + 49] = NAN;
  logits[2 * kCols + 32] = INFINITY;
  logits[3 * kCols] = -INFINITY;
  EXPECT_EQ(draw(logits, kRows, {10}, {4}),
            (std::vector<int32_t>{-1, expected[1], -1, -1, expected[4]}));
}

}  // namespace
}  // namespace dsf
