#include "tests/op_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/common/device_memory.h"
#include "kernels/common/random.h"

namespace dsf::testing {
namespace {

enum Purpose : uint32_t { fill_values = 1, fill_indices = 2 };

double fill_value(const Slot& slot, const RandomStream& stream, uint64_t index) {
  const auto words = random_words(stream, index);
  const double u = (words[0] + 0.5) * 0x1p-32;
  if (slot.fill == Slot::Fill::uniform) return slot.mean + slot.scale * (2.0 * u - 1.0);
  const double angle = 2.0 * std::numbers::pi * words[1] * 0x1p-32;  // Box-Muller
  return slot.mean + slot.scale * std::sqrt(-2.0 * std::log(u)) * std::cos(angle);
}

void fill(Tensor tensor, const Slot& slot, const RandomStream& stream) {
  for (int64_t i = 0; i < tensor.size(); ++i) {
    tensor[i] = static_cast<float>(fill_value(slot, stream, static_cast<uint64_t>(i)));
  }
}

}  // namespace

Tensor OpTensors::add(const std::string& name, const Shape& shape) {
  std::vector<float>& values = storage_[name];
  values.assign(static_cast<size_t>(shape.size()), std::numeric_limits<float>::quiet_NaN());
  return tensors_[name] = Tensor(values.data(), shape);
}

IndexTensor OpTensors::add_index(const std::string& name, const Shape& shape) {
  std::vector<int32_t>& values = index_storage_[name];
  values.assign(static_cast<size_t>(shape.size()), std::numeric_limits<int32_t>::min());
  return indices_[name] = IndexTensor(values.data(), shape);
}

OpTensors make_tensors(const OpCase& op_case, uint64_t seed) {
  OpTensors tensors;
  uint32_t slot_number = 0;
  for (const Slot& slot : op_case.inputs) {
    fill(tensors.add(slot.name, slot.shape), slot, {seed, fill_values, slot_number++});
    if (op_case.backward && slot.differentiable) tensors.add("d " + slot.name, slot.shape);
  }
  for (const IndexSlot& slot : op_case.index_inputs) {
    const IndexTensor tensor = tensors.add_index(slot.name, slot.shape);
    const RandomStream stream{seed, fill_indices, slot_number++};
    for (int64_t i = 0; i < tensor.size(); ++i) {
      const uint32_t word = random_words(stream, static_cast<uint64_t>(i))[0];
      tensor[i] = static_cast<int32_t>(word % static_cast<uint32_t>(slot.bound));
      if (slot.absent > 0 && (i + 1) % slot.absent == 0) tensor[i] = -1;
    }
  }
  for (const Slot& slot : op_case.outputs) {
    tensors.add(slot.name, slot.shape);
    if (op_case.backward) {
      fill(tensors.add("d " + slot.name, slot.shape), slot, {seed, fill_values, slot_number++});
    }
  }
  for (const IndexSlot& slot : op_case.index_outputs) tensors.add_index(slot.name, slot.shape);
  for (const Slot& slot : op_case.saved) tensors.add(slot.name, slot.shape);
  restart(op_case, tensors);
  return tensors;
}

void restart(const OpCase& op_case, OpTensors& tensors) {
  for (const Slot& slot : op_case.outputs) {
    if (slot.starts_as.empty()) continue;
    std::copy_n(tensors[slot.starts_as].data, slot.shape.size(), tensors[slot.name].data);
  }
}

void copy(const Context& ctx, Tensor to, ConstTensor from) {
  if (ctx.device == Device::cpu) {
    std::copy_n(from.data, from.size(), to.data);
  } else {
    cuda::copy_on_device(ctx, to.data, from.data, static_cast<size_t>(from.size()) * sizeof(float));
  }
}

const std::vector<OpCase>& all_op_cases() {
  static const std::vector<OpCase> cases = [] {
    CaseList list;
    add_adaln_cases(list);
    add_adam_cases(list);
    add_attention_cases(list);
    add_conv1d_cases(list);
    add_conv_transpose1d_cases(list);
    add_cross_entropy_cases(list);
    add_decode_step_cases(list);
    add_dropout_cases(list);
    add_embedding_cases(list);
    add_film_cases(list);
    add_gather_sequences_cases(list);
    add_gradient_norm_cases(list);
    add_gradient_sum_cases(list);
    add_layernorm_cases(list);
    add_linear_cases(list);
    add_relu_cases(list);
    add_residual_cases(list);
    add_residual_layernorm_cases(list);
    add_residual_vq_cases(list);
    add_rope_cases(list);
    add_sample_top_n_cases(list);
    add_snake_cases(list);
    return list;
  }();
  return cases;
}

}  // namespace dsf::testing
