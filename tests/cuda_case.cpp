#include "tests/cuda_case.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <set>

#include "tests/worst.h"

namespace dsf::testing {
namespace {

std::vector<std::string> gradients(const OpCase& op_case) {
  std::vector<std::string> names;
  for (const Slot& slot : op_case.inputs) {
    if (op_case.backward && slot.differentiable) names.push_back("d " + slot.name);
  }
  return names;
}

/// Names of the tensors that are there before forward and backward run.
std::set<std::string> given(const OpCase& op_case, GradientMode mode) {
  std::set<std::string> names;
  for (const Slot& slot : op_case.inputs) names.insert(slot.name);
  for (const IndexSlot& slot : op_case.index_inputs) names.insert(slot.name);
  for (const Slot& slot : op_case.outputs) {
    names.insert("d " + slot.name);
    if (!slot.starts_as.empty()) names.insert(slot.name);
  }
  if (mode == GradientMode::accumulate) {
    for (const std::string& name : gradients(op_case)) names.insert(name);
  }
  return names;
}

template <class T>
std::vector<T> download(const Context& ctx, const TensorView<T>& tensor) {
  std::vector<T> values(static_cast<size_t>(tensor.size()));
  cuda::copy_to_host(ctx, values.data(), tensor.data, values.size() * sizeof(T));
  cuda::synchronize(ctx);
  return values;
}

std::vector<double> to_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

OpCase in_precision(OpCase op_case, Precision precision) {
  const double roundoff = precision == Precision::tf32 ? 0x1p-11 : 0x1p-8;
  const auto widen = [&](Tolerance& tolerance, double roundoffs) {
    tolerance.value += roundoffs * roundoff;
    tolerance.reason = fmt::format("{}, and {} times {}: {}", tolerance.reason, roundoffs,
                                   name_of(precision), op_case.roundoff_reason);
  };
  widen(op_case.forward_tolerance, op_case.forward_roundoffs);
  widen(op_case.backward_tolerance, op_case.backward_roundoffs);
  op_case.name += fmt::format("/{}", name_of(precision));
  op_case.precision = precision;
  return op_case;
}

std::vector<const OpCase*> cuda_cases() {
  static const std::deque<OpCase> rounded = [] {
    std::deque<OpCase> cases;
    for (const OpCase* op_case : tested_cases()) {
      if (op_case->forward_roundoffs == 0) continue;
      cases.push_back(in_precision(*op_case, Precision::tf32));
      cases.push_back(in_precision(*op_case, Precision::bf16));
    }
    return cases;
  }();
  std::vector<const OpCase*> cases = tested_cases();
  std::erase_if(cases, [](const OpCase* op_case) { return op_case->cpu_only; });
  for (const OpCase& op_case : rounded) cases.push_back(&op_case);
  return cases;
}

CudaTensors::CudaTensors(const OpCase& op_case, const OpTensors& host, int64_t offset)
    : ctx{Device::cuda, nullptr, op_case.precision} {
  const std::set<std::string> copied = given(op_case, host.mode);
  tensors.mode = host.mode;
  for (const auto& [name, tensor] : host.all()) {
    tensors.put(name, place(tensor, copied.contains(name), offset));
  }
  for (const auto& [name, tensor] : host.all_indices()) {
    tensors.put_index(name, place(tensor, copied.contains(name), offset));
  }
  cuda::synchronize(ctx);
}

CudaTensors::~CudaTensors() {
  for (void* memory : memory_) cuda::release(memory);
}

template <class T>
TensorView<T> CudaTensors::place(const TensorView<T>& tensor, bool copied, int64_t offset) {
  const size_t bytes = static_cast<size_t>(tensor.size()) * sizeof(T);
  memory_.push_back(cuda::allocate(bytes + static_cast<size_t>(offset) * sizeof(T)));
  T* const memory = static_cast<T*>(memory_.back()) + offset;
  if (copied) cuda::copy_to_device(ctx, memory, tensor.data, bytes);
  return {memory, tensor.shape};
}

std::vector<float> CudaTensors::values(const std::string& name) const {
  return download(ctx, tensors[name]);
}

std::vector<int32_t> CudaTensors::index_values(const std::string& name) const {
  return download(ctx, tensors.index(name));
}

bool CudaResults::same_bits(const CudaResults& other) const {
  const auto equal = [](const auto& a, const auto& b) {
    return a.first == b.first &&
           std::equal(a.second.begin(), a.second.end(), b.second.begin(), b.second.end(),
                      [](float x, float y) {
                        return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y);
                      });
  };
  return std::equal(values.begin(), values.end(), other.values.begin(), other.values.end(),
                    equal) &&
         indices == other.indices;
}

CudaResults run_on_cuda(const OpCase& op_case, const OpTensors& host, int64_t offset) {
  CudaTensors device(op_case, host, offset);
  CudaResults results;
  op_case.forward(device.ctx, device.tensors);
  for (const Slot& slot : op_case.outputs) results.values[slot.name] = device.values(slot.name);
  for (const IndexSlot& slot : op_case.index_outputs) {
    results.indices[slot.name] = device.index_values(slot.name);
  }
  if (!op_case.backward) return results;
  op_case.backward(device.ctx, device.tensors);
  for (const std::string& name : gradients(op_case)) results.values[name] = device.values(name);
  return results;
}

std::vector<Comparison> compare_with_cpu(const OpCase& op_case, OpTensors& host,
                                         const CudaResults& results) {
  std::vector<Comparison> comparisons;
  op_case.forward(Context{}, host);
  for (const Slot& slot : op_case.outputs) {
    const double error = relative_error(to_double(results.values.at(slot.name)),
                                        testing::to_double(host[slot.name]));
    comparisons.push_back({slot.name, error, op_case.forward_tolerance});
  }
  for (const IndexSlot& slot : op_case.index_outputs) {
    const IndexTensor expected = host.index(slot.name);
    const std::vector<int32_t>& indices = results.indices.at(slot.name);
    const bool same =
        std::equal(indices.begin(), indices.end(), expected.data, expected.data + expected.size());
    comparisons.push_back({slot.name, same ? 0.0 : 1.0, {0, "indices are exact"}});
  }
  if (!op_case.backward) return comparisons;
  op_case.backward(Context{}, host);
  double largest = 0;
  for (const std::string& name : gradients(op_case)) {
    largest = worse(largest, norm(testing::to_double(host[name])));
  }
  for (const std::string& name : gradients(op_case)) {
    const std::vector<double> expected = testing::to_double(host[name]);
    const double error = relative_error(to_double(results.values.at(name)), expected,
                                        gradient_scale(expected, largest));
    comparisons.push_back({name, error, op_case.backward_tolerance});
  }
  return comparisons;
}

void expect_as_on_cpu(const OpCase& op_case, OpTensors& host, const CudaResults& results) {
  for (const Comparison& comparison : compare_with_cpu(op_case, host, results)) {
    expect_within(comparison.error, comparison.tolerance, comparison.name);
  }
}

OpTensors make_tensors(const OpCase& op_case, uint64_t seed, GradientMode mode) {
  OpTensors tensors = make_tensors(op_case, seed);
  tensors.mode = mode;
  if (mode == GradientMode::accumulate) {
    for (const std::string& name : gradients(op_case)) {
      std::fill_n(tensors[name].data, tensors[name].size(), 0.5F);
    }
  }
  return tensors;
}

}  // namespace dsf::testing
