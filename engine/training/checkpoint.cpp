#include "engine/training/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/bounded_json.h"
#include "engine/files/counted.h"
#include "engine/files/file_kind.h"
#include "engine/files/quote.h"
#include "engine/files/safetensors.h"
#include "engine/files/torch_file.h"
#include "engine/model/sampling.h"
#include "engine/training/checkpoint_tensors.h"
#include "engine/training/checkpoint_upstream.h"

namespace dsf {
namespace {

constexpr const char* kFormat = "dsf-checkpoint-1";
constexpr const char* kFirstMoments = "adam.first/";
constexpr const char* kSecondMoments = "adam.second/";
constexpr const char* kLearningRate = "learning_rate";      // where it is known
constexpr const char* kTrainingLoss = "training_loss";      // of the best checkpoint
constexpr const char* kValidationLoss = "validation_loss";  // likewise
constexpr const char* kCodec = "codec";                     // where it is said
constexpr const char* kCodebookDelay = "codebook_delay";    // older files have none: 0
constexpr const char* kTopN = "top_n";                      // these three where they are said
constexpr const char* kTemperature = "temperature";
constexpr const char* kMinP = "min_p";
constexpr const char* kUseAdaln = "use_adaLN";  // only of classes that have this key
constexpr size_t kMaxText = 4096;               // bytes of a value: of the longest path
constexpr size_t kMaxNames = size_t{4} << 20;   // of a list of names
constexpr size_t kMaxNameEvents = 1'000'000;    // of parsing such a list: one is a name
constexpr size_t kLongestShown = 1000;          // of a list of names in a message

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
      {kCodebookDelay, std::to_string(c.codebook_delay)},
      {"dropout", fmt::format("{}", c.dropout)},
      {"class_names", nlohmann::json(info.class_names).dump()},
      {"parameter_names", nlohmann::json(info.parameter_names).dump()},
      {"epoch", std::to_string(info.epoch)},
      {"step", std::to_string(info.step)},
      {"seed", std::to_string(info.seed)}};
  if (info.learning_rate > 0) metadata[kLearningRate] = fmt::format("{}", info.learning_rate);
  if (!info.codec.empty()) metadata[kCodec] = info.codec;
  if (info.sampling != SampleSettings{}) {
    metadata[kTopN] = std::to_string(info.sampling.top_n);
    metadata[kTemperature] = fmt::format("{}", info.sampling.temperature);
    metadata[kMinP] = fmt::format("{}", info.sampling.min_p);
  }
  if (const auto use_adaln = model_class_use_adaln(c.model_class)) {
    metadata[kUseAdaln] = *use_adaln ? "true" : "false";
  }
  if (info.evaluation) {
    metadata[kTrainingLoss] = fmt::format("{}", info.evaluation->training_loss);
    metadata[kValidationLoss] = fmt::format("{}", info.evaluation->validation_loss.value());
  }
  return metadata;
}

/// Reads __metadata__ with errors that name the file and the key.
class MetadataReader {
 public:
  MetadataReader(const std::filesystem::path& path, const TensorFile& file)
      : path_(path), metadata_(file.metadata) {}

  bool has(const char* key) const { return metadata_.contains(key); }
  const std::string& text(const char* key, size_t longest = kMaxText) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) fail("{}: no '{}' in __metadata__", path_.string(), key);
    const std::string& value = found->second;
    if (value.size() > longest) {
      fail("{}: '{}' in __metadata__ is {}, which is {} bytes long, expected at most {}",
           path_.string(), key, quote(value), value.size(), longest);
    }
    return value;
  }
  template <class T>
  T number(const char* key) const {
    T value{};
    const std::string& digits = text(key);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      fail("{}: '{}' in __metadata__ is {}, expected a number", path_.string(), key, quote(digits));
    }
    return value;
  }
  float finite(const char* key) const {
    const auto value = number<float>(key);
    if (!std::isfinite(value)) {
      fail("{}: '{}' in __metadata__ is {}, expected a finite number", path_.string(), key,
           quote(text(key)));
    }
    return value;
  }
  ModelClass model_class() const {
    std::optional<bool> use_adaln;
    if (metadata_.contains(kUseAdaln)) {
      use_adaln = text(kUseAdaln) == "true";
      if (!*use_adaln && text(kUseAdaln) != "false") {
        fail("{}: '{}' in __metadata__ is {}, expected true or false", path_.string(), kUseAdaln,
             quote(text(kUseAdaln)));
      }
    }
    try {
      return parse_model_class(text("transformer_class"), use_adaln);
    } catch (const UsageError& error) {
      fail("{}: {}", path_.string(), error.what());
    }
  }
  std::vector<std::string> names(const char* key) const {
    const std::string& list = text(key, kMaxNames);
    const auto parsed = parse_bounded_json(list, kMaxNameEvents);
    const bool valid = parsed.is_array() && std::ranges::all_of(parsed, [](const auto& name) {
                         return name.is_string();
                       });
    if (!valid) {
      fail("{}: '{}' in __metadata__ is {}, expected a list of names", path_.string(), key,
           quote(list));
    }
    return parsed.get<std::vector<std::string>>();
  }

 private:
  const std::filesystem::path& path_;
  const std::map<std::string, std::string>& metadata_;
};

SampleSettings read_sampling(const std::filesystem::path& path, const MetadataReader& reader) {
  SampleSettings sampling;
  if (reader.has(kTopN)) sampling.top_n = reader.number<int64_t>(kTopN);
  if (reader.has(kTemperature)) sampling.temperature = reader.finite(kTemperature);
  if (reader.has(kMinP)) sampling.min_p = reader.finite(kMinP);
  if (sampling.top_n < 1 || sampling.top_n > kMaxTopN || !(sampling.temperature > 0) ||
      sampling.min_p < 0 || sampling.min_p > 1) {
    fail(
        "{}: top_n {}, temperature {} and min_p {} in __metadata__, expected 1 to {}, a number "
        "above "
        "0, and 0 to 1",
        path.string(), sampling.top_n, sampling.temperature, sampling.min_p, kMaxTopN);
  }
  return sampling;
}

CheckpointInfo from_metadata(const std::filesystem::path& path, const TensorFile& file) {
  const MetadataReader reader(path, file);
  if (reader.text("format") != kFormat) {
    fail("{}: format {}, expected '{}'", path.string(), quote(reader.text("format")), kFormat);
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
  if (reader.has(kCodebookDelay)) c.codebook_delay = reader.number<int64_t>(kCodebookDelay);
  c.dropout = reader.number<float>("dropout");
  info.class_names = reader.names("class_names");
  info.parameter_names = reader.names("parameter_names");
  c.num_classes = static_cast<int64_t>(info.class_names.size());
  c.num_parameters = static_cast<int64_t>(info.parameter_names.size());
  info.epoch = reader.number<int64_t>("epoch");
  info.step = reader.number<int64_t>("step");
  info.seed = reader.number<uint64_t>("seed");
  if (reader.has(kLearningRate)) info.learning_rate = reader.number<float>(kLearningRate);
  if (reader.has(kCodec)) info.codec = reader.text(kCodec);
  info.sampling = read_sampling(path, reader);
  if (info.epoch < 0 || info.step < 0) {
    fail("{}: epoch {} and step {} in __metadata__, expected none below 0", path.string(),
         info.epoch, info.step);
  }
  if (reader.has(kValidationLoss)) {
    info.evaluation = {info.epoch, reader.finite(kTrainingLoss), reader.finite(kValidationLoss)};
  }
  check_stored_config(c, path.string());
  return info;
}

// ---- Tensors ----

void append_flat(std::map<std::string, TensorRef>& tensors, const std::string& prefix,
                 const ParameterTable& table, const float* flat) {
  for (const Parameter& parameter : table.entries()) {
    tensors[prefix + parameter.name] = {DType::f32, stored_shape(parameter),
                                        flat + parameter.offset};
  }
}

Checkpoint read_native(const std::filesystem::path& path, WithMoments moments) {
  const TensorFile file = read_safetensors(path);
  const CheckpointInfo info = from_metadata(path, file);
  check_credible(info.config, file.tensors, path.string());
  Checkpoint checkpoint{{info, ParameterTable(info.config), {}}, {}, {}};
  const ParameterTable& table = checkpoint.model.table;
  checkpoint.model.weights = gather_named(table, file.tensors, "", Sign::any, path.string());
  const auto is_moment = [](std::string_view name) {
    return name.starts_with(kFirstMoments) || name.starts_with(kSecondMoments);
  };
  refuse_surplus(table, file.tensors, is_moment, path.string());
  const bool has_moments =
      std::ranges::any_of(file.tensors, [&](const auto& entry) { return is_moment(entry.first); });
  if (moments == WithMoments::yes && has_moments) {
    checkpoint.first_moments =
        gather_named(table, file.tensors, kFirstMoments, Sign::any, path.string());
    checkpoint.second_moments =
        gather_named(table, file.tensors, kSecondMoments, Sign::not_negative, path.string());
  }
  return checkpoint;
}

/// Without moments (null) a file holds the weights only.
void write_native(const std::filesystem::path& path, const CheckpointInfo& info,
                  const ParameterTable& table, const float* weights, const float* first_moments,
                  const float* second_moments) {
  std::map<std::string, TensorRef> tensors;
  append_flat(tensors, "", table, weights);
  if (first_moments) append_flat(tensors, kFirstMoments, table, first_moments);
  if (second_moments) append_flat(tensors, kSecondMoments, table, second_moments);
  write_safetensors(path, to_metadata(info), tensors);
}

void load(const Checkpoint& checkpoint, Learner& learner) {
  const Context& ctx = learner.context();
  upload(ctx, learner.model().weights(), checkpoint.model.weights.data());
  if (!checkpoint.has_moments()) return;
  upload(ctx, learner.first_moments(), checkpoint.first_moments.data());
  upload(ctx, learner.second_moments(), checkpoint.second_moments.data());
  learner.set_step(checkpoint.model.info.step);
}

/// The first thing in which two checkpoints' models or seeds differ; empty where they agree.
std::string difference(const CheckpointInfo& file, const CheckpointInfo& run) {
  auto in_file = to_metadata(file), in_run = to_metadata(run);
  in_file.try_emplace(kUseAdaln, "absent");
  in_run.try_emplace(kUseAdaln, "absent");
  for (const auto& [key, value] : in_run) {
    if (key == "epoch" || key == "step" || key == kLearningRate || key == kCodec) continue;
    if (key == kTopN || key == kTemperature || key == kMinP) continue;
    if (in_file.at(key) != value) {
      return fmt::format("{} is {} there and {} in this run", key,
                         shorten(in_file.at(key), kLongestShown), shorten(value, kLongestShown));
    }
  }
  return "";
}

void require_same_run(const std::filesystem::path& path, const CheckpointInfo& file,
                      const CheckpointInfo& run) {
  const std::string differs = difference(file, run);
  if (!differs.empty()) fail_usage("{}: cannot be resumed: {}", path.string(), differs);
}

/// The first size in which another model cannot take up a checkpoint's tensors.
std::string size_difference(const ModelConfig& file, const ModelConfig& run) {
  if (file.model_class != run.model_class) {
    return fmt::format("its model is a {} ({}), this run's a {} ({})",
                       model_class_name(file.model_class), variant_name(file.model_class),
                       model_class_name(run.model_class), variant_name(run.model_class));
  }
  const auto differ = [&](const char* name, int64_t ModelConfig::*size) {
    return file.*size == run.*size
               ? std::string()
               : fmt::format("{} is {} there and {} in this run", name, file.*size, run.*size);
  };
  for (const auto& [name, size] :
       {std::pair{"embed_size", &ModelConfig::embed_size},
        std::pair{"num_layers", &ModelConfig::num_layers},
        std::pair{"num_heads", &ModelConfig::num_heads},
        std::pair{"forward_expansion", &ModelConfig::forward_expansion},
        std::pair{"num_codebooks", &ModelConfig::num_codebooks},
        std::pair{"vocab_size", &ModelConfig::vocab_size},
        std::pair{"codebook_delay", &ModelConfig::codebook_delay},
        std::pair{"the number of classes", &ModelConfig::num_classes},
        std::pair{"the number of parameters", &ModelConfig::num_parameters}}) {
    if (std::string difference = differ(name, size); !difference.empty()) return difference;
  }
  return "";
}

std::string listed(const std::vector<std::string>& names) {
  return shorten(fmt::format("{}", fmt::join(names, ", ")), kLongestShown);
}

/// Names that a checkpoint gives and a run from it does not; empty where they agree. Codes of
/// another codec are noise to what was learned.
std::string name_difference(const CheckpointInfo& file, const CheckpointInfo& run) {
  std::string text;
  if (file.class_names != run.class_names) {
    text += fmt::format("; its classes are {}", listed(file.class_names));
  }
  if (file.parameter_names != run.parameter_names) {
    text += fmt::format("; its parameters are {}", listed(file.parameter_names));
  }
  if (!file.codec.empty() && file.codec != run.codec) {
    text += fmt::format("; its codec is {}{}", file.codec,
                        run.codec.empty() ? "" : ", this run's " + run.codec);
  }
  if (file.sampling != run.sampling) {
    text += "; its codes are drawn " + describe(file.sampling, file.config.vocab_size);
  }
  return text;
}

}  // namespace

Checkpoint read_checkpoint(const std::filesystem::path& path, WithMoments moments) {
  const bool upstream = is_torch_name(path);
  refuse_other_kinds(path, upstream ? FileKind::zip : FileKind::safetensors,
                     upstream ? "a model as .pth" : "a model as .safetensors");
  return upstream ? read_upstream_model(path, moments) : read_native(path, moments);
}

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  if (is_torch_name(path)) return write_upstream_model(path, checkpoint);
  const bool moments = checkpoint.has_moments();
  write_native(path, checkpoint.model.info, checkpoint.model.table, checkpoint.model.weights.data(),
               moments ? checkpoint.first_moments.data() : nullptr,
               moments ? checkpoint.second_moments.data() : nullptr);
}

void write_bf16_weights(const std::filesystem::path& path, const TrainedModel& model) {
  TensorFile file{to_metadata(model.info), {}};
  for (const Parameter& parameter : model.table.entries()) {
    const auto values = std::span(model.weights)
                            .subspan(static_cast<size_t>(parameter.offset),
                                     static_cast<size_t>(parameter.shape.size()));
    file.tensors[parameter.name] = from_floats_as_bf16(stored_shape(parameter), values);
  }
  write_safetensors(path, file);
}

void write_checkpoint(const std::filesystem::path& path, const Learner& learner,
                      const CheckpointInfo& info) {
  const Context& ctx = learner.context();
  const HostValues weights(ctx, learner.model().weights());
  const HostValues first_moments(ctx, learner.first_moments());
  const HostValues second_moments(ctx, learner.second_moments());
  write_native(path, info, learner.model().table(), weights.data(), first_moments.data(),
               second_moments.data());
}

TrainedModel read_model(const std::filesystem::path& path) {
  return read_checkpoint(path, WithMoments::no).model;
}

CheckpointInfo read_checkpoint_info(const std::filesystem::path& path, const CheckpointInfo& run) {
  CheckpointInfo info = read_native(path, WithMoments::no).model.info;
  require_same_run(path, info, run);
  return info;
}

CheckpointInfo resume(const std::filesystem::path& path, const CheckpointInfo& run,
                      Learner& learner) {
  Checkpoint checkpoint = read_native(path, WithMoments::yes);
  CheckpointInfo& info = checkpoint.model.info;
  require_same_run(path, info, run);
  if (!checkpoint.has_moments()) {
    fail("{}: cannot be resumed: it holds no state of the optimizer", path.string());
  }
  load(checkpoint, learner);
  info.learning_rate = run.learning_rate;
  info.codec = run.codec;
  info.sampling = run.sampling;
  return info;
}

std::string start_from(const std::filesystem::path& path, const CheckpointInfo& run,
                       Learner* learner) {
  const Checkpoint checkpoint = read_checkpoint(path, WithMoments::yes);
  const CheckpointInfo& info = checkpoint.model.info;
  const std::string differs = size_difference(info.config, run.config);
  if (!differs.empty()) fail_usage("{}: cannot be started from: {}", path.string(), differs);
  if (learner) load(checkpoint, *learner);
  return fmt::format("starting from {}: {}{}", path.string(),
                     checkpoint.has_moments() && info.step > 0
                         ? fmt::format("weights and optimizer after {}", counted(info.step, "step"))
                         : "weights; it holds no state of the optimizer",
                     is_torch_name(path) ? "" : name_difference(info, run));
}

std::string checkpoint_name(const ModelConfig& config, int64_t epoch) {
  return fmt::format("out.e{}.l{}.h{}_chkpt_{:04}.safetensors", config.embed_size,
                     config.num_layers, config.num_heads, epoch);
}

std::optional<int64_t> checkpoint_epoch(const std::filesystem::path& path) {
  constexpr std::string_view kBeforeEpoch = "_chkpt_";
  const std::string stem = path.stem().string();
  const size_t at = stem.rfind(kBeforeEpoch);
  if (at == std::string::npos) return std::nullopt;
  int64_t epoch = 0;
  const char* end = stem.data() + stem.size();
  const auto [last, error] = std::from_chars(stem.data() + at + kBeforeEpoch.size(), end, epoch);
  if (error != std::errc{} || last != end || epoch < 0) return std::nullopt;
  return epoch;
}

static std::filesystem::path latest_named(const std::filesystem::path& run_directory,
                                          std::string_view extension) {
  std::filesystem::path latest;
  int64_t latest_epoch = -1;
  std::error_code error, unknown;
  for (std::filesystem::directory_iterator entry(run_directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::filesystem::path& path = entry->path();
    if (path.extension() != extension || !entry->is_regular_file(unknown)) continue;
    const auto epoch = checkpoint_epoch(path);
    if (epoch && *epoch > latest_epoch) {
      latest_epoch = *epoch;
      latest = path;
    }
  }
  if (error) fail("{}: cannot read this folder: {}", run_directory.string(), error.message());
  return latest;
}

std::filesystem::path latest_checkpoint(const std::filesystem::path& run_directory) {
  return latest_named(run_directory, ".safetensors");
}

std::filesystem::path latest_upstream_checkpoint(const std::filesystem::path& run_directory) {
  return latest_named(run_directory, ".pth");
}

}  // namespace dsf
