// Linear layers of the CPU with operands rounded to bf16.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/common/bfloat16.h"
#include "tests/op_checks.h"
#include "tests/sum_tolerance.h"
#include "tests/without_bf16.h"

namespace dsf::testing {
namespace {

/// What forward and backward of a case give, by name.
using Results = std::map<std::string, std::vector<double>>;

Results run(const OpCase& op_case, Precision precision, bool round_before) {
  OpTensors tensors = make_tensors(op_case, 5);
  if (round_before) {
    for (const auto& [name, tensor] : tensors.all()) {
      std::transform(tensor.data, tensor.data + tensor.size(), tensor.data,
                     [](float value) { return from_bf16(to_bf16(value)); });
    }
  }
  const Context ctx{Device::cpu, nullptr, precision};
  op_case.forward(ctx, tensors);
  op_case.backward(ctx, tensors);
  Results results{{"y", to_double(tensors["y"])}};
  for (const Slot& slot : op_case.inputs) {
    if (slot.differentiable) results["d " + slot.name] = to_double(tensors.grad(slot.name));
  }
  return results;
}

/// Gradients of a bias are sums of what is given, and up to four rows are multiplied in float32.
bool is_rounded(const OpCase& op_case, const std::string& name) {
  return name != "d b" && op_case.inputs[0].shape[0] > 4;
}

/// Of a concatenation the conditioning's part of d w is of sums of dy, which bf16 does not hold.
bool multiplies_sums(const OpCase& op_case, const std::string& name) {
  return name == "d w" && op_case.name.starts_with("linear/concat") &&
         op_case.inputs[1].shape[0] > 4;
}

class LinearBf16OnCpu : public ::testing::TestWithParam<const OpCase*> {
  void SetUp() override {
    if (!onednn::has_bf16()) GTEST_SKIP() << kWithoutBf16;
  }
};

// Operands that bf16 holds give what float32 gives, and others are rounded.
TEST_P(LinearBf16OnCpu, MultipliesRoundedOperands) {
  const OpCase& op_case = *GetParam();
  const Results expected = run(op_case, Precision::fp32, true);
  const Results held = run(op_case, Precision::bf16, true);
  const Results exact = run(op_case, Precision::fp32, false);
  const Results off = run(op_case, Precision::bf16, false);
  OpCase product = op_case;
  add_product_roundoffs(product);
  const double rounding = product.forward_roundoffs * 0x1p-8;
  for (const auto& [name, values] : expected) {
    Tolerance tolerance = name == "y" ? op_case.forward_tolerance : op_case.backward_tolerance;
    const Tolerance loose{tolerance.value + rounding, product.roundoff_reason};
    if (multiplies_sums(op_case, name)) tolerance = loose;
    expect_within(relative_error(held.at(name), values), tolerance, name + " of bf16 numbers");
    expect_within(relative_error(off.at(name), exact.at(name)), loose, name + " of others");
    if (!is_rounded(op_case, name)) {
      EXPECT_EQ(off.at(name), exact.at(name)) << name;
    } else if (values.size() > 1) {
      EXPECT_GT(relative_error(off.at(name), exact.at(name)), 0x1p-11) << name;
    }
  }
}

std::vector<const OpCase*> linear_cases() {
  std::vector<const OpCase*> cases = tested_cases();
  std::erase_if(cases, [](const OpCase* op_case) {
    // A ReLU's gradient jumps where rounding takes a sum through zero.
    return !op_case->name.starts_with("linear/") || op_case->name.find("relu") != std::string::npos;
  });
  return cases;
}

// Not among Ops/*, whose shards would not show what they skip.
INSTANTIATE_TEST_SUITE_P(Cases, LinearBf16OnCpu, ::testing::ValuesIn(linear_cases()), test_name);

}  // namespace
}  // namespace dsf::testing
