// The simulation's bf16 and half: every value of 16 bits, and rounding between each two.
#include "tests/simt/cuda_half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace dsf::simt {
namespace {

/// Neighbours round to themselves, their middle to the even one.
template <class To, class From>
void check_rounding(const To& to_bits, const From& from_bits, uint16_t infinity) {
  for (uint16_t bits = 0; bits < infinity; ++bits) {
    const auto next_bits = static_cast<uint16_t>(bits + 1);
    const float value = from_bits(bits), next = from_bits(next_bits);
    ASSERT_EQ(to_bits(value), bits);
    ASSERT_EQ(to_bits(-value), bits | 0x8000U);
    if (next_bits == infinity) continue;
    const float middle = value + (next - value) / 2;
    ASSERT_EQ(to_bits(middle), bits % 2 == 0 ? bits : next_bits) << value;
    ASSERT_EQ(to_bits(std::nextafter(middle, value)), bits) << value;
    ASSERT_EQ(to_bits(std::nextafter(middle, next)), next_bits) << value;
  }
  EXPECT_EQ(to_bits(INFINITY), infinity);
  EXPECT_EQ(to_bits(-INFINITY), infinity | 0x8000U);
  EXPECT_EQ(from_bits(infinity), INFINITY);
  EXPECT_TRUE(std::isnan(from_bits(to_bits(NAN))));
}

TEST(SimtHalf, Bf16) {
  check_rounding(to_bf16_bits, from_bf16_bits, 0x7F80);
  EXPECT_EQ(from_bf16_bits(to_bf16_bits(1.01F)), 1.0078125F);
}

TEST(SimtHalf, Half) {
  check_rounding(to_half_bits, from_half_bits, 0x7C00);
  EXPECT_EQ(from_half_bits(to_half_bits(65519.99F)), 65504.0F);
  EXPECT_EQ(to_half_bits(65520.0F), 0x7C00);
  EXPECT_EQ(from_half_bits(1), 0x1p-24F);
}

}  // namespace
}  // namespace dsf::simt
