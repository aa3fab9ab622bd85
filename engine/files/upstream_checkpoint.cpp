#include "engine/files/upstream_checkpoint.h"

#include <cmath>

#include "engine/files/torch_file.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// A size, small enough that sums and products of two cannot overflow.
int64_t size_at(const PickleValue& file, std::string_view key) {
  constexpr int64_t kMost = 1'000'000'000;
  const PickleValue value = file.at(key);
  const int64_t size = value.as_int();
  if (size < 0 || size > kMost) {
    fail("{}: found {}, expected a size of 0 to {}", value.path(), size, kMost);
  }
  return size;
}

/// Settings that change what a step does must be upstream's. Newer ones are absent from older
/// files.
void require_upstream_settings(const PickleValue& group) {
  constexpr std::string_view kRefusal = "training cannot go on from this state";
  const PickleValue betas = group.at("betas");
  if (betas.size() != 2 || betas[0].as_double() != 0.9 || betas[1].as_double() != 0.999) {
    fail("{}: upstream's Adam has 0.9 and 0.999; {}", betas.path(), kRefusal);
  }
  const auto require_number = [&](std::string_view name, double expected) {
    const PickleValue value = group.at(name);
    if (value.as_double() == expected) return;
    fail("{}: it is {}, upstream's Adam has {}; {}", value.path(), value.as_double(), expected,
         kRefusal);
  };
  require_number("eps", 1e-8);
  require_number("weight_decay", 0);
  for (const char* unused : {"amsgrad", "maximize"}) {
    const auto value = group.find(unused);
    if (value && value->as_bool())
      fail("{}: upstream's Adam has it off; {}", value->path(), kRefusal);
  }
}

/// The number of parameters in the only group, which must be numbered 0, 1 … as torch does.
size_t parameter_count(const PickleValue& group) {
  const PickleValue params = group.at("params");
  const std::vector<int64_t> numbers = params.as_ints();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != static_cast<int64_t>(i)) {
      fail("{}: parameter {} has number {}, expected {}", params.path(), i, numbers[i], i);
    }
  }
  return numbers.size();
}

/// A Python integer (older files) or a tensor of one number.
int64_t step_count(const PickleValue& value) {
  double step = 0;
  if (!value.is_tensor()) {
    step = value.as_double();
  } else {
    const std::vector<float> numbers = to_floats(value.as_tensor());
    if (numbers.size() != 1) {
      fail("{}: expected one number, found {}", value.path(), numbers.size());
    }
    step = numbers[0];
  }
  constexpr double kMost = 1e9;
  if (!(step >= 1 && step <= kMost) || step != std::floor(step)) {
    fail("{}: it is {}, expected a whole number from 1 to {}", value.path(), step, kMost);
  }
  return static_cast<int64_t>(step);
}

/// The states of all parameters, ordered by their numbers.
std::vector<PickleValue> parameter_states(const PickleValue& state, size_t parameters) {
  std::vector<std::optional<PickleValue>> found(parameters);
  for (const auto& [key, value] : state.entries()) {
    const int64_t number = key.as_int();
    if (number < 0 || static_cast<size_t>(number) >= parameters) {
      fail("{}: there are only {} parameters", value.path(), parameters);
    }
    found[static_cast<size_t>(number)] = value;
  }
  std::vector<PickleValue> states;
  for (size_t i = 0; i < parameters; ++i) {
    if (!found[i]) fail("{}: it has nothing for parameter {} of {}", state.path(), i, parameters);
    states.push_back(*found[i]);
  }
  return states;
}

}  // namespace

UpstreamCheckpoint read_upstream_checkpoint(const std::filesystem::path& path) {
  const PickleValue file = read_torch_file(path);
  if (const auto metadata = file.find("metadata"); metadata && metadata->find("kwargs")) {
    fail("{}: these are codec weights, not a model", path.string());
  }
  UpstreamCheckpoint checkpoint;
  checkpoint.inf_context_length = size_at(file, "inf_context_length");
  checkpoint.embed_size = size_at(file, "embed_size");
  checkpoint.num_layers = size_at(file, "num_layers");
  checkpoint.num_heads = size_at(file, "num_heads");
  checkpoint.forward_expansion = size_at(file, "forward_expansion");
  checkpoint.dropout = file.at("dropout").as_double();
  checkpoint.max_len = size_at(file, "max_len");
  checkpoint.num_codebooks = size_at(file, "num_codebooks");
  checkpoint.vocab_size = size_at(file, "vocab_size");
  checkpoint.cond_size = size_at(file, "cond_size");
  checkpoint.num_classes = size_at(file, "num_classes");
  if (const auto value = file.find("use_adaLN")) checkpoint.use_adaln = value->as_bool();
  if (const auto value = file.find("input_type")) checkpoint.input_type = value->as_string();
  for (const auto& [name, tensor] : file.at("model_state_dict").entries()) {
    checkpoint.state_dict.emplace(name.as_string(), tensor.as_tensor());
  }
  checkpoint.optimizer_state_dict = file.find("optimizer_state_dict");
  return checkpoint;
}

UpstreamAdam read_upstream_adam(const PickleValue& state_dict) {
  UpstreamAdam adam;
  adam.path = state_dict.path();
  const PickleValue groups = state_dict.at("param_groups");
  if (!groups.is_list() || groups.size() != 1) {
    fail("{}: expected a list of one group, found {} of {}", groups.path(), groups.kind(),
         groups.size());
  }
  const PickleValue group = groups[0];
  require_upstream_settings(group);
  const PickleValue rate = group.at("lr");
  adam.learning_rate = rate.as_double();
  if (!std::isfinite(adam.learning_rate) || adam.learning_rate < 0) {
    fail("{}: it is {}", rate.path(), adam.learning_rate);
  }
  const size_t parameters = parameter_count(group);
  const PickleValue state = state_dict.at("state");
  if (state.size() == 0) return adam;
  for (const PickleValue& one : parameter_states(state, parameters)) {
    const int64_t step = step_count(one.at("step"));
    if (adam.step != 0 && step != adam.step) {
      fail("{}: {} steps, other parameters have {}", one.path(), step, adam.step);
    }
    adam.step = step;
    adam.first_moments.push_back(one.at("exp_avg").as_tensor());
    adam.second_moments.push_back(one.at("exp_avg_sq").as_tensor());
  }
  return adam;
}

}  // namespace dsf
