// No op's result depends on the number of threads (oneDNN's products excepted): every case, the
// large ones too, bit for bit.
// The very largest are left out for time; each is of an op that a smaller parallel case covers.
#include <gtest/gtest.h>

#include <bit>

#include "kernels/common/parallel.h"
#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

// Everything that a case's forward and backward write and callers read, as bits: NaN equals NaN.
std::map<std::string, std::vector<uint32_t>> results(const OpCase& op_case, OpTensors& tensors,
                                                     int threads) {
  const int before = num_threads();
  set_num_threads(threads);
  restart(op_case, tensors);
  op_case.forward(Context{}, tensors);
  if (op_case.backward) op_case.backward(Context{}, tensors);
  set_num_threads(before);

  std::map<std::string, std::vector<uint32_t>> bits;
  const auto keep = [&](const std::string& name, const auto& tensor) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      bits[name].push_back(std::bit_cast<uint32_t>(tensor[i]));
    }
  };
  for (const Slot& slot : op_case.outputs) keep(slot.name, tensors[slot.name]);
  for (const IndexSlot& slot : op_case.index_outputs) keep(slot.name, tensors.index(slot.name));
  for (const Slot& slot : op_case.inputs) {
    if (op_case.backward && slot.differentiable) keep("d " + slot.name, tensors.grad(slot.name));
  }
  return bits;
}

// oneDNN may share the terms of a product's sums among threads where the result is small: a row
// (d x of one position) or a small weight's gradient. It is reproducible for a fixed number of
// threads only, as ARCHITECTURE.md says.
bool sums_of_onednn(const OpCase& op_case, const std::string& result) {
  return op_case.name.starts_with("linear") && (result == "d x" || result == "d w");
}

bool affordable(const OpCase& op_case) {
  int64_t elements = 0;
  for (const auto* slots : {&op_case.inputs, &op_case.outputs}) {
    for (const Slot& slot : *slots) elements += slot.shape.size();
  }
  return elements < 6'000'000;
}

TEST(OpThreads, ResultsDoNotDependOnTheNumberOfThreads) {
  for (const OpCase& op_case : all_op_cases()) {
    if (!affordable(op_case)) continue;
    OpTensors tensors = make_tensors(op_case, 4);
    const auto expected = results(op_case, tensors, 1);
    for (const auto& [name, bits] : results(op_case, tensors, 3)) {
      if (sums_of_onednn(op_case, name)) continue;
      EXPECT_TRUE(bits == expected.at(name)) << op_case.name << ": " << name;
    }
  }
}

}  // namespace
}  // namespace dsf::testing
