#include "tests/cuda_case.h"

#include <algorithm>
#include <bit>
#include <filesystem>
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
  for (const Slot& slot : op_case.outputs) names.insert("d " + slot.name);
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

CudaTensors::CudaTensors(const OpCase& op_case, const OpTensors& host) {
  const std::set<std::string> copied = given(op_case, host.mode);
  tensors.mode = host.mode;
  for (const auto& [name, tensor] : host.all()) {
    void* memory = place(tensor.data, static_cast<size_t>(tensor.size()) * sizeof(float),
                         copied.contains(name));
    tensors.put(name, {static_cast<float*>(memory), tensor.shape});
  }
  for (const auto& [name, tensor] : host.all_indices()) {
    void* memory = place(tensor.data, static_cast<size_t>(tensor.size()) * sizeof(int32_t),
                         copied.contains(name));
    tensors.put_index(name, {static_cast<int32_t*>(memory), tensor.shape});
  }
  cuda::synchronize(ctx);
}

CudaTensors::~CudaTensors() {
  for (void* memory : memory_) cuda::release(memory);
}

void* CudaTensors::place(const void* values, size_t bytes, bool copied) {
  memory_.push_back(cuda::allocate(bytes));
  if (copied) cuda::copy_to_device(ctx, memory_.back(), values, bytes);
  return memory_.back();
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

CudaResults run_on_cuda(const OpCase& op_case, const OpTensors& host) {
  CudaTensors device(op_case, host);
  CudaResults results;
  op_case.forward(device.ctx, device.tensors);
  for (const Slot& slot : op_case.outputs) results.values[slot.name] = device.values(slot.name);
  for (const IndexSlot& slot : op_case.index_outputs) {
    results.indices[slot.name] = device.index_values(slot.name);
  }
  if (!op_case.backward) return results;
  try {
    op_case.backward(device.ctx, device.tensors);
  } catch (const MissingForm& missing) {
    std::printf("    %s\n", missing.what());
    return results;
  }
  results.has_backward = true;
  for (const std::string& name : gradients(op_case)) results.values[name] = device.values(name);
  return results;
}

void expect_as_on_cpu(const OpCase& op_case, OpTensors& host, const CudaResults& results) {
  op_case.forward(Context{}, host);
  for (const Slot& slot : op_case.outputs) {
    expect_within(relative_error(to_double(results.values.at(slot.name)),
                                 testing::to_double(host[slot.name])),
                  op_case.forward_tolerance, slot.name);
  }
  for (const IndexSlot& slot : op_case.index_outputs) {
    const IndexTensor index = host.index(slot.name);
    EXPECT_EQ(results.indices.at(slot.name),
              std::vector<int32_t>(index.data, index.data + index.size()));
  }
  if (!results.has_backward) return;
  op_case.backward(Context{}, host);
  double largest = 0;
  for (const std::string& name : gradients(op_case)) {
    largest = worse(largest, norm(testing::to_double(host[name])));
  }
  for (const std::string& name : gradients(op_case)) {
    const std::vector<double> expected = testing::to_double(host[name]);
    expect_within(relative_error(to_double(results.values.at(name)), expected,
                                 gradient_scale(expected, largest)),
                  op_case.backward_tolerance, name);
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

std::vector<const OpCase*> cuda_cases() {
  std::vector<const OpCase*> cases = tested_cases();
  std::erase_if(cases, [](const OpCase* op_case) {
    const std::string op = op_case->name.substr(0, op_case->name.find('/'));
    const std::filesystem::path folder = std::filesystem::path(DSF_SOURCE_DIR) / "kernels" / op;
    return !std::filesystem::exists(folder / (op + "_cuda.cu"));
  });
  return cases;
}

}  // namespace dsf::testing
