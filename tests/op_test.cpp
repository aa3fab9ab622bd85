// Every op case: forward against its double-precision loop, backward against central differences
// of that loop, and backward's two gradient modes against each other.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/op_checks.h"
#include "tests/worst.h"

namespace dsf::testing {
namespace {

OpDoubles run_reference(const OpCase& op_case, const OpTensors& tensors) {
  OpDoubles doubles;
  for (const Slot& slot : op_case.inputs)
    doubles.tensors[slot.name] = to_double(tensors[slot.name]);
  for (const IndexSlot& slot : op_case.index_inputs) {
    const IndexTensor index = tensors.index(slot.name);
    doubles.indices[slot.name] = {index.data, index.data + index.size()};
  }
  for (const Slot& slot : op_case.outputs) {
    doubles.tensors[slot.name].assign(static_cast<size_t>(slot.shape.size()), 0.0);
  }
  for (const IndexSlot& slot : op_case.index_outputs) {
    doubles.indices[slot.name].assign(static_cast<size_t>(slot.shape.size()), 0);
  }
  op_case.reference(doubles);
  return doubles;
}

class OpTest : public ::testing::TestWithParam<const OpCase*> {};
/// Of the cases that have a backward.
class OpBackwardTest : public OpTest {};

TEST_P(OpTest, ForwardAgreesWithDoublePrecisionLoop) {
  const OpCase& op_case = *GetParam();
  OpTensors tensors = make_tensors(op_case, 1);
  const OpDoubles expected = run_reference(op_case, tensors);
  op_case.forward(Context{}, tensors);
  for (const Slot& slot : op_case.outputs) {
    expect_within(relative_error(to_double(tensors[slot.name]), expected.tensors.at(slot.name)),
                  op_case.forward_tolerance, slot.name);
  }
  for (const IndexSlot& slot : op_case.index_outputs) {
    const IndexTensor index = tensors.index(slot.name);
    EXPECT_EQ(std::vector<int32_t>(index.data, index.data + index.size()),
              expected.indices.at(slot.name));
  }
}

// The loss of the checks: Σ over all outputs of (its given gradient · output).
double loss(const OpCase& op_case, const OpTensors& tensors, const OpDoubles& outputs) {
  double sum = 0;
  for (const Slot& slot : op_case.outputs) {
    const ConstTensor weight = tensors.grad(slot.name);
    const std::vector<double>& value = outputs.tensors.at(slot.name);
    for (size_t i = 0; i < value.size(); ++i) sum += weight[static_cast<int64_t>(i)] * value[i];
  }
  return sum;
}

// d loss / d (input along `direction`), by central differences in double.
double directional_difference(const OpCase& op_case, const OpTensors& tensors,
                              const std::string& input, const std::vector<double>& direction) {
  OpDoubles moved = run_reference(op_case, tensors);
  const std::vector<double> origin = moved[input];
  const auto loss_at = [&](double step) {
    for (size_t i = 0; i < origin.size(); ++i) moved[input][i] = origin[i] + step * direction[i];
    op_case.reference(moved);
    return loss(op_case, tensors, moved);
  };
  const double step = op_case.difference_step;
  const double forward = loss_at(step);
  return (forward - loss_at(-step)) / (2 * step);
}

// Unit vectors at a few places and a few dense random directions, each element N(0, 1).
std::vector<std::vector<double>> directions(size_t size) {
  std::mt19937_64 engine(7);
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> result;
  for (int i = 0; i < 6; ++i) {
    result.emplace_back(size, 0.0);
    result.back()[engine() % size] = 1.0;
  }
  for (int i = 0; i < 3; ++i) {
    result.emplace_back(size);
    for (double& value : result.back()) value = normal(engine);
  }
  return result;
}

TEST_P(OpBackwardTest, AgreesWithFiniteDifferences) {
  const OpCase& op_case = *GetParam();
  OpTensors tensors = make_tensors(op_case, 2);
  op_case.forward(Context{}, tensors);
  op_case.backward(Context{}, tensors);
  double largest = 0;
  for (const Slot& slot : op_case.inputs) {
    if (slot.differentiable) largest = worse(largest, norm(to_double(tensors.grad(slot.name))));
  }
  for (const Slot& slot : op_case.inputs) {
    if (!slot.differentiable) continue;
    const std::vector<double> gradient = to_double(tensors.grad(slot.name));
    const double scale = gradient_scale(gradient, largest);
    double worst = 0;
    for (const std::vector<double>& direction : directions(gradient.size())) {
      double ours = 0;
      for (size_t i = 0; i < gradient.size(); ++i) ours += gradient[i] * direction[i];
      const double expected = directional_difference(op_case, tensors, slot.name, direction);
      const double error = std::abs(ours - expected) / std::max(scale, 1e-12);
      worst = worse(worst, error);
    }
    expect_within(worst, op_case.backward_tolerance, "d " + slot.name);
  }
}

TEST_P(OpBackwardTest, AccumulatingAddsToWhatIsThere) {
  const OpCase& op_case = *GetParam();
  OpTensors overwritten = make_tensors(op_case, 3);
  op_case.forward(Context{}, overwritten);
  op_case.backward(Context{}, overwritten);
  OpTensors accumulated = make_tensors(op_case, 3);
  op_case.forward(Context{}, accumulated);
  for (const Slot& slot : op_case.inputs) {
    if (!slot.differentiable) continue;
    const Tensor gradient = accumulated.grad(slot.name);
    std::fill_n(gradient.data, gradient.size(), 0.5F);
  }
  accumulated.mode = GradientMode::accumulate;
  op_case.backward(Context{}, accumulated);
  for (const Slot& slot : op_case.inputs) {
    if (!slot.differentiable) continue;
    std::vector<double> expected = to_double(overwritten.grad(slot.name));
    for (double& value : expected) value += 0.5;
    expect_within(relative_error(to_double(accumulated.grad(slot.name)), expected),
                  {1e-6, "one more rounding per element"}, "d " + slot.name + " added");
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OpTest, ::testing::ValuesIn(tested_cases()), test_name);
INSTANTIATE_TEST_SUITE_P(Ops, OpBackwardTest, ::testing::ValuesIn(with_backward(tested_cases())),
                         test_name);

}  // namespace
}  // namespace dsf::testing
