#pragma once
#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {

/// For sums of `terms` products: each rounds about as often as it has terms, at random signs, which
/// comes to √terms · 2^-24 of its norm, on top of a few roundings of the result itself.
inline Tolerance sum_tolerance(int64_t terms) {
  return {4e-7 + 0x1p-24 * std::sqrt(static_cast<double>(terms)), "√terms roundings of 2^-24"};
}

/// Whether tensor cores can take a convolution's rows, and so its operands may be rounded.
inline bool rounds_operands(int64_t inputs, int64_t outputs) {
  return inputs % 4 == 0 && outputs % 4 == 0;
}

/// For a forward of sums of products of rounded operands: each product x·w is off by two roundings
/// of at most a unit roundoff u each, independent of all others; so the norm of the errors is at
/// most √2·u of the norm of x·w over all products, which of values of random signs is the norm of
/// the sums. What is added to the sums, of random signs too, only makes the result larger.
inline void add_product_roundoffs(OpCase& op_case) {
  op_case.forward_roundoffs = std::sqrt(2.0);
  op_case.roundoff_reason = "two rounded operands in each product, independent";
}

/// Of a forward that ends in Snake, whose slope is at most 2 and which makes values of random signs
/// no smaller; 5e-7 is its own (op_cases/snake.cpp).
inline void add_snake(OpCase& op_case) {
  op_case.forward_tolerance.value = 2 * op_case.forward_tolerance.value + 5e-7;
  op_case.forward_tolerance.reason += ", twice, and Snake's 5e-7";
  op_case.forward_roundoffs *= 2;
}

inline double snake(double x, double alpha) {
  return x + std::pow(std::sin(alpha * x), 2) / (alpha + 1e-9);
}

}  // namespace dsf::testing
