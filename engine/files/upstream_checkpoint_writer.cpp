// The writing half of upstream_checkpoint.h.
#include <array>
#include <charconv>

#include "engine/files/torch_writer.h"
#include "engine/files/upstream_checkpoint.h"

namespace dsf {
namespace {

/// Begins an item of the dictionary that is open: its value comes next.
PickleWriter& item(PickleWriter& pickle, std::string_view key) {
  pickle.text(key);
  return pickle;
}

void write_state_dict(TorchWriter& file, const std::vector<NamedFloats>& tensors) {
  file.ordered_dict();
  file.pickle().mark();
  for (const NamedFloats& tensor : tensors) {
    item(file.pickle(), tensor.name);
    file.tensor(tensor.shape, tensor.data);
  }
  file.pickle().set_items();
}

/// `step`: the number as torch keeps it.
void write_parameter_state(TorchWriter& file, const float& step, const NamedFloats& first,
                           const NamedFloats& second) {
  PickleWriter& pickle = file.pickle();
  pickle.empty_dict();
  pickle.mark();
  item(pickle, "step");
  file.tensor({}, &step);
  item(pickle, "exp_avg");
  file.tensor(first.shape, first.data);
  item(pickle, "exp_avg_sq");
  file.tensor(second.shape, second.data);
  pickle.set_items();
}

/// The settings that torch.optim.Adam of PyTorch 2 keeps; older and newer ones fill in what they
/// do not find.
void write_group(PickleWriter& pickle, double learning_rate, size_t parameters) {
  pickle.empty_dict();
  pickle.mark();
  item(pickle, "lr").real(learning_rate);
  item(pickle, "betas").real(0.9);
  pickle.real(0.999);
  pickle.tuple(2);
  item(pickle, "eps").real(1e-8);
  item(pickle, "weight_decay").integer(0);
  item(pickle, "amsgrad").boolean(false);
  item(pickle, "maximize").boolean(false);
  item(pickle, "foreach").none();
  item(pickle, "capturable").boolean(false);
  item(pickle, "differentiable").boolean(false);
  item(pickle, "fused").none();
  item(pickle, "params").empty_list();
  pickle.mark();
  for (size_t i = 0; i < parameters; ++i) pickle.integer(static_cast<int64_t>(i));
  pickle.append_items();
  pickle.set_items();
}

/// `steps`: the same number for every parameter that has moments, each in a place of its own:
/// PyTorch counts on in it.
void write_adam(TorchWriter& file, const UpstreamAdamContent& adam,
                const std::vector<float>& steps) {
  PickleWriter& pickle = file.pickle();
  pickle.empty_dict();
  pickle.mark();
  item(pickle, "state").empty_dict();
  pickle.mark();
  for (size_t i = 0; i < steps.size(); ++i) {
    pickle.integer(static_cast<int64_t>(i));
    write_parameter_state(file, steps[i], adam.first_moments[i], adam.second_moments[i]);
  }
  pickle.set_items();
  item(pickle, "param_groups").empty_list();
  write_group(pickle, decimal_value(adam.learning_rate), adam.parameters);
  pickle.append();
  pickle.set_items();
}

void write_sizes(PickleWriter& pickle, const UpstreamSizes& sizes) {
  item(pickle, "inf_context_length").integer(sizes.inf_context_length);
  item(pickle, "embed_size").integer(sizes.embed_size);
  item(pickle, "num_layers").integer(sizes.num_layers);
  item(pickle, "num_heads").integer(sizes.num_heads);
  item(pickle, "forward_expansion").integer(sizes.forward_expansion);
  item(pickle, "dropout").real(sizes.dropout);
  item(pickle, "max_len").integer(sizes.max_len);
  item(pickle, "num_codebooks").integer(sizes.num_codebooks);
  item(pickle, "vocab_size").integer(sizes.vocab_size);
  item(pickle, "cond_size").integer(sizes.cond_size);
  if (sizes.use_adaln) item(pickle, "use_adaLN").boolean(*sizes.use_adaln);
  item(pickle, "num_classes").integer(sizes.num_classes);
  if (sizes.input_type) item(pickle, "input_type").text(*sizes.input_type);
}

}  // namespace

double decimal_value(float value) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double result = 0;
  std::from_chars(text.data(), written.ptr, result);
  return result;
}

void write_upstream_checkpoint(const std::filesystem::path& path, const UpstreamContent& content) {
  const auto& adam = content.optimizer;
  const std::vector<float> steps(adam ? adam->first_moments.size() : 0,
                                 adam ? static_cast<float>(adam->step) : 0.0F);
  TorchWriter file;
  PickleWriter& pickle = file.pickle();
  pickle.empty_dict();
  pickle.mark();
  item(pickle, "model_state_dict");
  write_state_dict(file, content.state_dict);
  if (adam) {
    item(pickle, "optimizer_state_dict");
    write_adam(file, *adam, steps);
  }
  write_sizes(pickle, content.sizes);
  pickle.set_items();
  file.write(path);
}

}  // namespace dsf
