// The random numbers: Philox against its published vectors, and what random.h says of dropout.
#include "kernels/common/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace dsf {
namespace {

using Words = std::array<uint32_t, 4>;

// The known answers that the authors publish for Philox4x32 with 10 rounds.
TEST(Random, PhiloxGivesItsKnownAnswers) {
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(random_words({0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(random_words({~uint64_t{0}, ones, ones}, ~uint64_t{0}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // Digits of π in every word: the order of seed, purpose, step and index.
  EXPECT_EQ(random_words({0x299f31d0a4093822, 0x03707344, 0x13198a2e}, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, UnitFloatsStayBelowOne) {
  EXPECT_EQ(to_unit(0), 0.0F);
  EXPECT_EQ(to_unit(0x80000000), 0.5F);
  EXPECT_LT(to_unit(0xffffffff), 1.0F);
}

std::vector<float> factors(const DropoutStream& dropout, uint64_t first, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  dropout_factors(dropout, first, count, values.data());
  return values;
}

TEST(Random, DropoutFactorsDoNotDependOnHowARangeIsSplit) {
  const DropoutStream dropout{0.3F, {11, 5, 2}};
  const int64_t size = 301;
  for (const uint64_t start : {uint64_t{0}, uint64_t{3}, uint64_t{0xfffffffe} * 4}) {
    const std::vector<float> whole = factors(dropout, start, size);
    for (int64_t split = 0; split <= size; ++split) {
      std::vector<float> parts = factors(dropout, start, split);
      const auto rest = factors(dropout, start + static_cast<uint64_t>(split), size - split);
      parts.insert(parts.end(), rest.begin(), rest.end());
      ASSERT_EQ(parts, whole) << "from " << start << ", split at " << split;
    }
  }
}

TEST(Random, DropoutFactorsAreThoseOfTheirWords) {
  const DropoutStream dropout{0.2F, {12345678901234, 7, 9}};
  const uint64_t far = (uint64_t{1} << 34) - 13;  // the index of its block passes 2³² on the way
  for (uint64_t start = 0; start < 5; ++start) {
    for (const uint64_t first : {start, far + start}) {
      for (int64_t count = 0; count < 80; ++count) {
        const std::vector<float> given = factors(dropout, first, count);
        for (uint64_t i = 0; i < given.size(); ++i) {
          const uint32_t word = random_words(dropout.stream, (first + i) / 4)[(first + i) % 4];
          ASSERT_EQ(given[i], word >= dropout.threshold() ? dropout.scale() : 0.0F)
              << "element " << first + i << " of " << count << " from " << first;
        }
      }
    }
  }
}

TEST(Random, DropoutFactorsStayWithinTheirRange) {
  for (uint64_t first = 0; first < 5; ++first) {
    for (int64_t count = 0; count < 70; ++count) {
      std::vector<float> around(static_cast<size_t>(count) + 2, -1.0F);
      dropout_factors({0.5F, {1, 2, 3}}, first, count, around.data() + 1);
      EXPECT_EQ(around.front(), -1.0F);
      EXPECT_EQ(around.back(), -1.0F);
    }
  }
}

// A count of n trials of probability p lies within 5·√(p(1−p)/n) of p, but for one in two million.
double five_sigma(double p, size_t n) {
  return 5 * std::sqrt(p * (1 - p) / static_cast<double>(n));
}

TEST(Random, DropoutKeepsItsShareAndScalesIt) {
  for (const float rate : {0.01F, 0.2F, 0.5F, 0.9F}) {
    const std::vector<float> values = factors({rate, {1, 2, 3}}, 0, 1'000'000);
    const double kept = 1.0 - rate;
    const auto zeros = std::count(values.begin(), values.end(), 0.0F);
    const double share = 1.0 - static_cast<double>(zeros) / static_cast<double>(values.size());
    EXPECT_NEAR(share, kept, five_sigma(kept, values.size())) << "rate " << rate;
    const float largest = *std::max_element(values.begin(), values.end());
    EXPECT_NEAR(largest * kept, 1.0, 1.8e-7) << "1−rate, its inverse and this product round";
    EXPECT_EQ(std::count(values.begin(), values.end(), largest) + zeros, 1'000'000);
  }
}

TEST(Random, StreamsThatDifferInAnyFieldAreIndependent) {
  const float rate = 0.5F;
  const std::vector<float> base = factors({rate, {1, 2, 3}}, 0, 100'000);
  for (const RandomStream& other : {RandomStream{2, 2, 3}, RandomStream{1ULL << 32 | 1, 2, 3},
                                    RandomStream{1, 3, 3}, RandomStream{1, 2, 4}}) {
    const std::vector<float> values = factors({rate, other}, 0, 100'000);
    size_t equal = 0;
    for (size_t i = 0; i < values.size(); ++i) equal += values[i] == base[i];
    EXPECT_NEAR(static_cast<double>(equal) / static_cast<double>(values.size()), 0.5,
                five_sigma(0.5, values.size()));
  }
}

}  // namespace
}  // namespace dsf
