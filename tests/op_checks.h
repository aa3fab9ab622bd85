#pragma once
// What the tests of op cases share: how results are compared, which cases are run.
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/op_cases.h"

namespace dsf::testing {

inline std::vector<double> to_double(ConstTensor tensor) {
  return {tensor.data, tensor.data + tensor.size()};
}

inline double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

inline double relative_error(const std::vector<double>& ours, const std::vector<double>& expected,
                             double scale) {
  double squares = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    squares += (ours[i] - expected[i]) * (ours[i] - expected[i]);
  }
  return scale > 0 ? std::sqrt(squares) / scale : std::sqrt(squares);
}

inline double relative_error(const std::vector<double>& ours, const std::vector<double>& expected) {
  return relative_error(ours, expected, norm(expected));
}

/// What a gradient's error is relative to: its norm, or, where it is rounding noise (of queries
/// that see one key, say), the norm of the case's largest.
inline double gradient_scale(const std::vector<double>& gradient, double largest) {
  const double own = norm(gradient);
  return own < 1e-6 * largest ? largest : own;
}

inline void expect_within(double error, const Tolerance& tolerance, const std::string& what) {
  std::printf("    %-24s error %.2e, limit %.2e (%.0f %% used)\n", what.c_str(), error,
              tolerance.value, tolerance.value > 0 ? 100 * error / tolerance.value : 0.0);
  EXPECT_TRUE(error <= tolerance.value)  // false for NaN too
      << what << ": " << error << " > " << tolerance.value << " (" << tolerance.reason << ")";
}

inline std::vector<const OpCase*> tested_cases() {
  std::vector<const OpCase*> cases;
  for (const OpCase& op_case : all_op_cases()) {
    if (!op_case.bench_only) cases.push_back(&op_case);
  }
  return cases;
}

/// Those of `cases` whose op has a backward.
inline std::vector<const OpCase*> with_backward(std::vector<const OpCase*> cases) {
  std::erase_if(cases, [](const OpCase* op_case) { return !op_case->backward; });
  return cases;
}

inline std::string test_name(const ::testing::TestParamInfo<const OpCase*>& info) {
  std::string name = info.param->name;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

}  // namespace dsf::testing
