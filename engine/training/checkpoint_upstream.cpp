#include "engine/training/checkpoint_upstream.h"

#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/files/upstream_checkpoint.h"
#include "engine/model/upstream_class.h"
#include "engine/training/checkpoint_tensors.h"
#include "kernels/rope/rope.h"

namespace dsf {
namespace {

constexpr const char* kInputType = "int";  // codes; upstream's later classes also take "float"

std::vector<std::string> numbered(const char* stem, int64_t count, int64_t first) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", stem, first + i));
  return names;
}

/// The class of which the tensors are; what the checkpoint claims must agree.
ModelClass class_of(const std::filesystem::path& path, const UpstreamCheckpoint& checkpoint) {
  if (checkpoint.input_type && *checkpoint.input_type != kInputType) {
    fail("{}: input_type is {}; only models of codes ('{}') are supported", path.string(),
         quote(*checkpoint.input_type), kInputType);
  }
  const auto model_class = upstream_class_of(
      [&](const std::string& name) { return checkpoint.state_dict.contains(name); });
  if (!model_class) {
    fail("{}: its tensors are those of none of upstream's classes", path.string());
  }
  if (checkpoint.use_adaln && checkpoint.use_adaln != model_class_use_adaln(*model_class)) {
    fail("{}: use_adaLN is {}, but its tensors are those of {} ({})", path.string(),
         *checkpoint.use_adaln ? "True" : "False", model_class_name(*model_class),
         variant_name(*model_class));
  }
  return *model_class;
}

CheckpointInfo describe(const std::filesystem::path& path, const UpstreamCheckpoint& checkpoint) {
  CheckpointInfo info;
  ModelConfig& c = info.config;
  c.model_class = class_of(path, checkpoint);
  c.embed_size = checkpoint.embed_size;
  c.num_layers = checkpoint.num_layers;
  c.num_heads = checkpoint.num_heads;
  c.forward_expansion = checkpoint.forward_expansion;
  c.lookback = checkpoint.inf_context_length;
  c.max_length = checkpoint.max_len;
  c.num_codebooks = checkpoint.num_codebooks;
  c.vocab_size = checkpoint.vocab_size;
  c.num_classes = checkpoint.num_classes;
  c.num_parameters = checkpoint.cond_size - checkpoint.num_classes;
  c.dropout = static_cast<float>(checkpoint.dropout);
  check_stored_config(c, path.string());
  info.class_names = numbered("class", c.num_classes, 0);
  info.parameter_names = numbered("param", c.num_parameters, 1);
  info.epoch = checkpoint_epoch(path).value_or(0);
  return info;
}

/// Ends of the names of buffers that hold rotary tables: they are computed, not learned.
constexpr std::string_view kSines = ".sin_part", kCosines = ".cos_part", kSinusoid = ".sinusoid";

bool is_rotary_buffer(std::string_view name) {
  return name.ends_with(kSines) || name.ends_with(kCosines) || name.ends_with(kSinusoid);
}

/// Adam's moments and step. Before the first step moments are 0 and not in the file.
void read_moments(const UpstreamAdam& adam, Checkpoint& checkpoint) {
  checkpoint.model.info.learning_rate = static_cast<float>(adam.learning_rate);
  if (adam.step == 0) {
    checkpoint.first_moments.resize(checkpoint.model.weights.size());
    checkpoint.second_moments.resize(checkpoint.model.weights.size());
    return;
  }
  const ParameterTable& table = checkpoint.model.table;
  const size_t parameters = table.entries().size();
  if (adam.first_moments.size() != parameters) {
    fail("{}: it has the state of {}, this model has {}", adam.path,
         counted(adam.first_moments.size(), "parameter"), parameters);
  }
  const auto gather = [&](const std::vector<StoredTensor>& moments, const char* name, Sign sign) {
    std::vector<FileTensor> tensors;
    for (size_t i = 0; i < parameters; ++i) {
      tensors.push_back({&moments[i], fmt::format("{}: {} of parameter {} ({})", adam.path, name, i,
                                                  table.entries()[i].name)});
    }
    return gather_parameters(table, tensors, sign);
  };
  checkpoint.first_moments = gather(adam.first_moments, "exp_avg", Sign::any);
  checkpoint.second_moments = gather(adam.second_moments, "exp_avg_sq", Sign::not_negative);
  checkpoint.model.info.step = adam.step;
}

// ---- Writing ----

/// Upstream's classes of March 2025, whose files have keys and buffers of their own.
bool is_later(const ModelConfig& config) {
  return model_class_use_adaln(config.model_class).has_value();
}

/// Rotary tables as upstream's classes keep them: buffers of the state dictionary.
class RotaryBuffers {
 public:
  explicit RotaryBuffers(const ModelConfig& config)
      : later_(is_later(config)),
        shape_{config.max_length, config.embed_size / 2},
        sines_(static_cast<size_t>(shape_[0] * shape_[1])),
        cosines_(sines_.size()) {
    const Shape shape{shape_[0], shape_[1]};
    rope_embedding_tables({sines_.data(), shape}, {cosines_.data(), shape}, config.embed_size);
    if (!later_) join();
  }

  /// The buffers of the module `name`, which shares them with every other.
  void append(const std::string& name, std::vector<NamedFloats>& state_dict) const {
    if (later_) {
      state_dict.push_back({name + std::string(kSines), shape_, sines_.data()});
      state_dict.push_back({name + std::string(kCosines), shape_, cosines_.data()});
    } else {
      state_dict.push_back({name + std::string(kSinusoid), shape_, sinusoid_.data()});
    }
  }

 private:
  /// The first classes have one table: in each row a sine for every angle, then a cosine for every
  /// angle. The two that rotate hold each value twice.
  void join() {
    const auto width = static_cast<size_t>(shape_[1]), angles = width / 2;
    sinusoid_.resize(sines_.size());
    for (size_t row = 0; row < sines_.size(); row += width) {
      for (size_t j = 0; j < angles; ++j) {
        sinusoid_[row + j] = sines_[row + 2 * j];
        sinusoid_[row + angles + j] = cosines_[row + 2 * j];
      }
    }
  }

  bool later_;
  std::vector<int64_t> shape_;
  std::vector<float> sines_, cosines_, sinusoid_;
};

/// Parameters and buffers in the order of upstream's modules.
std::vector<NamedFloats> state_dict(const TrainedModel& model, const RotaryBuffers& rotary) {
  std::vector<NamedFloats> tensors;
  const bool rotates = model.info.config.model_class != ModelClass::postnorm_concat;
  bool positional = false;
  for (const Parameter& parameter : model.table.entries()) {
    if (!positional && parameter.name.starts_with("layers.")) {
      rotary.append("positional_embedding", tensors);
      positional = true;
    }
    tensors.push_back(
        {parameter.name, stored_shape(parameter), model.weights.data() + parameter.offset});
    constexpr std::string_view kLast = ".out_proj.bias";  // of an attention's own parameters
    if (rotates && parameter.name.ends_with(kLast)) {
      const std::string attention = parameter.name.substr(0, parameter.name.size() - kLast.size());
      rotary.append(attention + ".rotary_positional_embedding", tensors);
    }
  }
  return tensors;
}

std::vector<NamedFloats> moments(const ParameterTable& table, const std::vector<float>& flat) {
  std::vector<NamedFloats> tensors;
  for (const Parameter& parameter : table.entries()) {
    tensors.push_back({parameter.name, stored_shape(parameter), flat.data() + parameter.offset});
  }
  return tensors;
}

UpstreamSizes upstream_sizes(const ModelConfig& config) {
  UpstreamSizes sizes;
  sizes.inf_context_length = config.lookback;
  sizes.embed_size = config.embed_size;
  sizes.num_layers = config.num_layers;
  sizes.num_heads = config.num_heads;
  sizes.forward_expansion = config.forward_expansion;
  sizes.dropout = decimal_value(config.dropout);
  sizes.max_len = config.max_length;
  sizes.num_codebooks = config.num_codebooks;
  sizes.vocab_size = config.vocab_size;
  sizes.cond_size = config.cond_size();
  sizes.num_classes = config.num_classes;
  sizes.use_adaln = model_class_use_adaln(config.model_class);
  if (is_later(config)) sizes.input_type = kInputType;
  return sizes;
}

}  // namespace

Checkpoint read_upstream_model(const std::filesystem::path& path, WithMoments moments) {
  const UpstreamCheckpoint file = read_upstream_checkpoint(path);
  const CheckpointInfo info = describe(path, file);
  check_credible(info.config, file.state_dict, path.string());
  Checkpoint checkpoint{{info, ParameterTable(info.config), {}}, {}, {}};
  TrainedModel& model = checkpoint.model;
  model.weights = gather_named(model.table, file.state_dict, "", Sign::any, path.string());
  refuse_surplus(model.table, file.state_dict, is_rotary_buffer, path.string());
  if (moments == WithMoments::yes && file.optimizer_state_dict) {
    read_moments(read_upstream_adam(*file.optimizer_state_dict), checkpoint);
  }
  return checkpoint;
}

void write_upstream_model(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  const TrainedModel& model = checkpoint.model;
  const CheckpointInfo& info = model.info;
  if (info.config.model_class == ModelClass::streaming) {
    fail_usage("{}: upstream has no class {}; its models are kept as .safetensors", path.string(),
               model_class_name(info.config.model_class));
  }
  const RotaryBuffers rotary(info.config);
  UpstreamContent content{upstream_sizes(info.config), state_dict(model, rotary), std::nullopt};
  // The later loader demands an optimizer: one that took no step, where there is no other.
  if (checkpoint.has_moments() || is_later(info.config)) {
    UpstreamAdamContent& adam = content.optimizer.emplace();
    if (info.learning_rate > 0) adam.learning_rate = info.learning_rate;
    adam.parameters = model.table.entries().size();
    if (checkpoint.has_moments() && info.step > 0) {
      adam.step = info.step;
      adam.first_moments = moments(model.table, checkpoint.first_moments);
      adam.second_moments = moments(model.table, checkpoint.second_moments);
    }
  }
  write_upstream_checkpoint(path, content);
}

}  // namespace dsf
