#include "engine/training/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/safetensors.h"
#include "engine/files/upstream_checkpoint.h"
#include "engine/model/upstream_class.h"

namespace dsf {
namespace {

constexpr const char* kFormat = "dsf-checkpoint-1";
constexpr const char* kFirstMoments = "adam.first/";
constexpr const char* kSecondMoments = "adam.second/";
constexpr const char* kUseAdaln = "use_adaLN";  // only of classes that have this key

// ---- What a checkpoint says, as __metadata__ (text values only) ----

std::map<std::string, std::string> to_metadata(const CheckpointInfo& info) {
  const ModelConfig& c = info.config;
  std::map<std::string, std::string> metadata{
      {"format", kFormat},
      {"transformer_class", std::string(model_class_name(c.model_class))},
      {"embed_size", std::to_string(c.embed_size)},
      {"num_layers", std::to_string(c.num_layers)},
      {"num_heads", std::to_string(c.num_heads)},
      {"forward_expansion", std::to_string(c.forward_expansion)},
      {"Ti", std::to_string(c.lookback)},
      {"Tt", std::to_string(c.max_length)},
      {"num_codebooks", std::to_string(c.num_codebooks)},
      {"vocab_size", std::to_string(c.vocab_size)},
      {"dropout", fmt::format("{}", c.dropout)},
      {"class_names", nlohmann::json(info.class_names).dump()},
      {"parameter_names", nlohmann::json(info.parameter_names).dump()},
      {"epoch", std::to_string(info.epoch)},
      {"step", std::to_string(info.step)},
      {"seed", std::to_string(info.seed)}};
  if (const auto use_adaln = model_class_use_adaln(c.model_class)) {
    metadata[kUseAdaln] = *use_adaln ? "true" : "false";
  }
  return metadata;
}

void add_evaluation(std::map<std::string, std::string>& metadata, const Evaluation& evaluation) {
  metadata["training_loss"] = fmt::format("{}", evaluation.training_loss);
  metadata["validation_loss"] = fmt::format("{}", evaluation.validation_loss.value());
}

/// Reads __metadata__ with errors that name the file and the key.
class MetadataReader {
 public:
  MetadataReader(const std::filesystem::path& path, const TensorFile& file)
      : path_(path), metadata_(file.metadata) {}

  bool has(const char* key) const { return metadata_.contains(key); }
  const std::string& text(const char* key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) fail("{}: no '{}' in __metadata__", path_.string(), key);
    return found->second;
  }
  template <class T>
  T number(const char* key) const {
    T value{};
    const std::string& digits = text(key);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      fail("{}: '{}' in __metadata__ is '{}', expected a number", path_.string(), key, digits);
    }
    return value;
  }
  float finite(const char* key) const {
    const auto value = number<float>(key);
    if (!std::isfinite(value)) {
      fail("{}: '{}' in __metadata__ is '{}', expected a finite number", path_.string(), key,
           text(key));
    }
    return value;
  }
  ModelClass model_class() const {
    std::optional<bool> use_adaln;
    if (metadata_.contains(kUseAdaln)) {
      use_adaln = text(kUseAdaln) == "true";
      if (!*use_adaln && text(kUseAdaln) != "false") {
        fail("{}: '{}' in __metadata__ is '{}', expected true or false", path_.string(), kUseAdaln,
             text(kUseAdaln));
      }
    }
    try {
      return parse_model_class(text("transformer_class"), use_adaln);
    } catch (const UsageError& error) {
      fail("{}: {}", path_.string(), error.what());
    }
  }
  std::vector<std::string> names(const char* key) const {
    const auto parsed = nlohmann::json::parse(text(key), nullptr, false);
    const bool valid = parsed.is_array() && std::ranges::all_of(parsed, [](const auto& name) {
                         return name.is_string();
                       });
    if (!valid) {
      fail("{}: '{}' in __metadata__ is '{}', expected a list of names", path_.string(), key,
           text(key));
    }
    return parsed.get<std::vector<std::string>>();
  }

 private:
  const std::filesystem::path& path_;
  const std::map<std::string, std::string>& metadata_;
};

std::optional<Evaluation> evaluation_of(const MetadataReader& reader, int64_t epoch) {
  if (!reader.has("validation_loss")) return std::nullopt;
  return Evaluation{epoch, reader.finite("training_loss"), reader.finite("validation_loss")};
}

CheckpointInfo from_metadata(const std::filesystem::path& path, const TensorFile& file) {
  const MetadataReader reader(path, file);
  if (reader.text("format") != kFormat) {
    fail("{}: format '{}', expected '{}'", path.string(), reader.text("format"), kFormat);
  }
  CheckpointInfo info;
  ModelConfig& c = info.config;
  c.model_class = reader.model_class();
  c.embed_size = reader.number<int64_t>("embed_size");
  c.num_layers = reader.number<int64_t>("num_layers");
  c.num_heads = reader.number<int64_t>("num_heads");
  c.forward_expansion = reader.number<int64_t>("forward_expansion");
  c.lookback = reader.number<int64_t>("Ti");
  c.max_length = reader.number<int64_t>("Tt");
  c.num_codebooks = reader.number<int64_t>("num_codebooks");
  c.vocab_size = reader.number<int64_t>("vocab_size");
  c.dropout = reader.number<float>("dropout");
  info.class_names = reader.names("class_names");
  info.parameter_names = reader.names("parameter_names");
  c.num_classes = static_cast<int64_t>(info.class_names.size());
  c.num_parameters = static_cast<int64_t>(info.parameter_names.size());
  info.epoch = reader.number<int64_t>("epoch");
  info.step = reader.number<int64_t>("step");
  info.seed = reader.number<uint64_t>("seed");
  info.evaluation = evaluation_of(reader, info.epoch);
  check_model_config(c, path.string());
  return info;
}

// ---- Tensors ----

/// Copies the tensors `prefix`+name of a file into a flat buffer laid out by `table`.
void load_flat(const std::filesystem::path& path,
               const std::map<std::string, StoredTensor>& tensors, const std::string& prefix,
               const ParameterTable& table, Tensor flat) {
  for (const Parameter& parameter : table.entries()) {
    const std::string name = prefix + parameter.name;
    const auto found = tensors.find(name);
    if (found == tensors.end()) fail("{}: no tensor '{}'", path.string(), name);
    const std::vector<int64_t>& shape = found->second.shape;
    bool fits = static_cast<int>(shape.size()) == parameter.shape.rank();
    for (int axis = 0; fits && axis < parameter.shape.rank(); ++axis) {
      fits = shape[static_cast<size_t>(axis)] == parameter.shape[axis];
    }
    if (!fits) {
      fail("{}: tensor '{}' has shape [{}], expected {}", path.string(), name,
           fmt::join(shape, ", "), parameter.shape.str());
    }
    std::ranges::copy(to_floats(found->second), table.view(flat, parameter.name).data);
  }
}

void append_flat(std::map<std::string, TensorRef>& tensors, const std::string& prefix,
                 const ParameterTable& table, Tensor flat) {
  for (const Parameter& parameter : table.entries()) {
    std::vector<int64_t> shape;
    for (int axis = 0; axis < parameter.shape.rank(); ++axis)
      shape.push_back(parameter.shape[axis]);
    tensors[prefix + parameter.name] = {DType::f32, shape, table.view(flat, parameter.name).data};
  }
}

/// Raises an Error where a file's tensors are too few for a model of these sizes: before a table
/// and weights of these sizes are made.
void check_credible(const std::filesystem::path& path, const ModelConfig& c,
                    const std::map<std::string, StoredTensor>& tensors) {
  const auto e = static_cast<double>(c.embed_size);
  // Of every class: one projection and the feed-forward network of each layer, and the head.
  const double least = static_cast<double>(c.num_layers) * e * e *
                           (1 + 2 * static_cast<double>(c.forward_expansion)) +
                       e * static_cast<double>(c.num_codebooks) * static_cast<double>(c.vocab_size);
  double held = 0;
  for (const auto& [name, tensor] : tensors) held += static_cast<double>(tensor.size());
  if (least > held) {
    fail("{}: its sizes mean more than {:.0f} weights, its tensors hold {:.0f} values",
         path.string(), least, held);
  }
}

std::vector<std::string> numbered(const char* stem, int64_t count, int64_t first) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("{}{}", stem, first + i));
  return names;
}

/// The class of which the tensors are; what the checkpoint claims must agree.
ModelClass class_of(const std::filesystem::path& path, const UpstreamCheckpoint& checkpoint) {
  if (checkpoint.input_type && *checkpoint.input_type != "int") {
    fail("{}: input_type is '{}'; only models of codes ('int') are supported", path.string(),
         *checkpoint.input_type);
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

TrainedModel read_upstream_model(const std::filesystem::path& path) {
  const UpstreamCheckpoint checkpoint = read_upstream_checkpoint(path);
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
  check_model_config(c, path.string());
  info.class_names = numbered("class", c.num_classes, 0);
  info.parameter_names = numbered("param", c.num_parameters, 1);
  check_credible(path, c, checkpoint.state_dict);
  TrainedModel model{info, ParameterTable(c), {}};
  model.weights.resize(static_cast<size_t>(model.table.size()));
  load_flat(path, checkpoint.state_dict, "", model.table, model.weights_view());
  return model;
}

/// The first thing in which two checkpoints' models or seeds differ; empty where they agree.
std::string difference(const CheckpointInfo& file, const CheckpointInfo& run) {
  auto in_file = to_metadata(file), in_run = to_metadata(run);
  in_file.try_emplace(kUseAdaln, "absent");
  in_run.try_emplace(kUseAdaln, "absent");
  for (const auto& [key, value] : in_run) {
    if (key == "epoch" || key == "step") continue;
    if (in_file.at(key) != value) {
      return fmt::format("{} is {} there and {} in this run", key, in_file.at(key), value);
    }
  }
  return "";
}

/// What a checkpoint of `run` says.
CheckpointInfo info_of_run(const std::filesystem::path& path, const TensorFile& file,
                           const CheckpointInfo& run) {
  CheckpointInfo info = from_metadata(path, file);
  const std::string differs = difference(info, run);
  if (!differs.empty()) fail_usage("{}: cannot be resumed: {}", path.string(), differs);
  return info;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const Learner& learner,
                      const CheckpointInfo& info) {
  const Transformer& model = learner.model();
  std::map<std::string, TensorRef> tensors;
  append_flat(tensors, "", model.table(), model.weights());
  append_flat(tensors, kFirstMoments, model.table(), learner.first_moments());
  append_flat(tensors, kSecondMoments, model.table(), learner.second_moments());
  auto metadata = to_metadata(info);
  if (info.evaluation) add_evaluation(metadata, *info.evaluation);
  write_safetensors(path, metadata, tensors);
}

TrainedModel read_model(const std::filesystem::path& path) {
  if (path.extension() == ".pth" || path.extension() == ".pt") return read_upstream_model(path);
  const TensorFile file = read_safetensors(path);
  const CheckpointInfo info = from_metadata(path, file);
  check_credible(path, info.config, file.tensors);
  TrainedModel model{info, ParameterTable(info.config), {}};
  model.weights.resize(static_cast<size_t>(model.table.size()));
  load_flat(path, file.tensors, "", model.table, model.weights_view());
  return model;
}

CheckpointInfo read_checkpoint_info(const std::filesystem::path& path, const CheckpointInfo& run) {
  return info_of_run(path, read_safetensors(path), run);
}

CheckpointInfo resume(const std::filesystem::path& path, const CheckpointInfo& run,
                      Learner& learner) {
  const TensorFile file = read_safetensors(path);
  CheckpointInfo info = info_of_run(path, file, run);
  const ParameterTable& table = learner.model().table();
  load_flat(path, file.tensors, "", table, learner.model().weights());
  load_flat(path, file.tensors, kFirstMoments, table, learner.first_moments());
  load_flat(path, file.tensors, kSecondMoments, table, learner.second_moments());
  learner.set_step(info.step);
  return info;
}

std::string checkpoint_name(const ModelConfig& config, int64_t epoch) {
  return fmt::format("out.e{}.l{}.h{}_chkpt_{:04}.safetensors", config.embed_size,
                     config.num_layers, config.num_heads, epoch);
}

std::filesystem::path latest_checkpoint(const std::filesystem::path& run_directory) {
  std::filesystem::path latest;
  int64_t latest_epoch = -1;
  for (const auto& entry : std::filesystem::directory_iterator(run_directory)) {
    if (entry.path().extension() != ".safetensors" || !entry.is_regular_file()) continue;
    const std::string stem = entry.path().stem().string();
    const size_t at = stem.rfind("_chkpt_");
    if (at == std::string::npos) continue;
    int64_t epoch = -1;
    const char* end = stem.data() + stem.size();
    const auto [last, error] = std::from_chars(stem.data() + at + 7, end, epoch);
    if (error == std::errc{} && last == end && epoch > latest_epoch) {
      latest_epoch = epoch;
      latest = entry.path();
    }
  }
  return latest;
}

}  // namespace dsf
