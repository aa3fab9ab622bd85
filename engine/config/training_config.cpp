#include "engine/config/training_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "engine/codec/codec_location.h"
#include "engine/config/config_reader.h"
#include "engine/files/atomic_file.h"
#include "engine/files/counted.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kMaxFileSize = 1 << 20;
constexpr size_t kLongestExperiment = 100;  // of the 255 bytes that names of files may have
constexpr int64_t kMaxSize = 1'000'000;     // of anything that scales memory

constexpr auto kKnownKeys = std::to_array<std::string_view>({
    "experiment",
    "testsnd",
    "data_dir",
    "validator_data_dir",
    "data_frames",
    "validator_data_frames",
    "codec",
    "codebook_delay",
    "random_crop",
    "ftype",
    "input_type",
    "vocab_size",
    "TransformerClass",
    "use_adaLN",
    "num_tokens",
    "top_n",
    "temperature",
    "min_p",
    "cond_params",
    "class_names",
    "tblock_input_size",
    "model_size",
    "parameter_names",
    "Ti",
    "Tt",
    "batch_size",
    "num_layers",
    "num_heads",
    "forward_expansion",
    "dropout_rate",
    "learning_rate",
    "ErrorLogRate",
    "num_epochs",
    "checkpoint_interval",
});

using Warn = std::function<void(const std::string&)>;
using NameList = std::vector<std::vector<std::string>>;

// Upstream's seven classes, which its YAML does not name; three of them are spare.
NameList upstream_classes() {
  return {{"DSPistons", "pistons"},
          {"DSWind", "wind"},
          {"DSApplause", "applause"},
          {"DSBugs", "bees"},
          {"Foo"},
          {"Bar"},
          {"Baz"}};
}

std::string read_text(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) {
    const std::filesystem::path inside = file / "params.yaml";
    fail_usage("{}: a folder, expected a YAML file{}", file.string(),
               std::filesystem::exists(inside) ? ", such as " + inside.string() : "");
  }
  const std::vector<std::byte> bytes = read_file(file, kMaxFileSize);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void require_unique(const ConfigReader& reader, std::string_view key, const NameList& names) {
  std::set<std::string> seen;
  for (const auto& synonyms : names) {
    for (const std::string& name : synonyms) {
      if (!seen.insert(name).second) {
        reader.fail_value(key, fmt::format("each name once; '{}' occurs again", name));
      }
    }
  }
}

void read_experiment(TrainingConfig& config, ConfigReader& reader) {
  config.experiment = reader.text("experiment");
  const std::filesystem::path path = config.experiment;
  bool inside = path.is_relative();
  for (const auto& part : path) inside = inside && part != ".." && part != ".";
  if (!inside) reader.fail_value("experiment", "the name of a folder below runs/");
  // The names of what it generates begin with it, and have an end.
  if (config.experiment.size() > kLongestExperiment) {
    reader.fail_value("experiment", fmt::format("at most {} bytes", kLongestExperiment));
  }
}

/// Tells of keys that are there and change nothing.
void warn_without_effect(const ConfigReader& reader, std::initializer_list<const char*> keys,
                         std::string_view reason, const Warn& warn) {
  for (const char* key : keys) {
    if (!reader.has(key)) continue;
    warn(fmt::format("{}: {} has no effect: {}", reader.place(key), key, reason));
  }
}

/// A text that may be null or, where it is not `needed`, left out: then it is empty.
std::string optional_text(ConfigReader& reader, std::string_view key, bool needed) {
  if (needed && !reader.find(key)) reader.add_missing(key);
  return reader.has(key) ? reader.text(key) : "";
}

/// Training does not need the codec, but whoever listens to the model will: a file is looked for
/// now.
std::string read_codec(ConfigReader& reader) {
  if (!reader.has("codec")) return "";
  std::string codec = lasting_codec_name(reader.text("codec"));
  if (codec.empty()) {
    reader.fail_value("codec", fmt::format("{}, {} or a file of codec weights that is there",
                                           kBundledCodec, kOfficialCodec));
  }
  return codec;
}

/// A codec that a file names is that of the file's own data.
void warn_of_codec(const ConfigReader& reader, const std::vector<std::string>& overrides,
                   const Warn& warn) {
  const auto is_set = [&](std::string_view key) {
    return std::ranges::any_of(
        overrides, [&](const std::string& text) { return text.substr(0, text.find('=')) == key; });
  };
  if (!is_set("data_dir") || is_set("codec") || !reader.has("codec")) return;
  warn(fmt::format(
      "{}: codec is taken to be that of the data that --set data_dir names; --set codec=… says "
      "whose codes they are: another codec makes noise of them",
      reader.place("codec")));
}

void read_data(TrainingConfig& config, ConfigReader& reader) {
  config.data_dir = reader.text("data_dir");
  config.validator_data_dir = optional_text(reader, "validator_data_dir", true);
  config.data_frame = optional_text(reader, "data_frames", false);
  const bool framed = !config.data_frame.empty();
  const bool validates = !config.validator_data_dir.empty();
  config.validator_data_frame = optional_text(reader, "validator_data_frames", framed && validates);
  if (framed && reader.find("validator_data_frames") &&
      config.validator_data_dir.empty() != config.validator_data_frame.empty()) {
    reader.fail_value(
        config.validator_data_dir.empty() ? "validator_data_dir" : "validator_data_frames",
        "validator_data_dir and validator_data_frames both, or both null");
  }
  if (!framed && !config.validator_data_frame.empty()) {
    reader.fail_value("validator_data_frames", "data_frames beside it");
  }
  config.codec = read_codec(reader);
  if (reader.has("random_crop")) config.random_crop = reader.boolean("random_crop");
}

/// Upstream also trains on mel spectrograms, which are numbers and no codes.
void refuse_spectrograms(ConfigReader& reader) {
  for (const auto& [key, codes] : {std::pair{"ftype", "dac"}, std::pair{"input_type", "int"}}) {
    if (!reader.has(key) || reader.text(key) == codes) continue;
    reader.fail_value(key, fmt::format("'{}': dsf learns codes of .dac files, not spectrograms or "
                                       "other decoded numbers",
                                       codes));
  }
}

/// Upstream gave two different models the same class name: the one of January 2025 comes with
/// tblock_input_size, the later one with model_size and use_adaLN.
void read_model_class(TrainingConfig& config, ConfigReader& reader, const Warn& warn) {
  const std::string name = reader.text("TransformerClass");
  if (name.empty()) return;
  ModelClass& model_class = config.model.model_class;
  try {
    model_class = parse_model_class(name, std::nullopt);
    if (model_class == ModelClass::rope_concat && !reader.has("tblock_input_size")) {
      if (!reader.has("use_adaLN")) {
        reader.add_missing(
            "use_adaLN (True or False; January 2025's model has none, but tblock_input_size in "
            "place of model_size)");
      } else {
        model_class = parse_model_class(name, reader.boolean("use_adaLN"));
      }
    } else {
      warn_without_effect(reader, {"use_adaLN"},
                          "it chooses between the later RopeCondDACTransformers (model_size)",
                          warn);
    }
  } catch (const UsageError& error) {
    fail_usage("{}: {}", reader.place("TransformerClass"), error.what());
  }
}

void read_classes(TrainingConfig& config, ConfigReader& reader) {
  const bool upstream = reader.has("tblock_input_size") && !reader.has("class_names");
  const NameList classes = upstream ? upstream_classes() : reader.names("class_names");
  require_unique(reader, "class_names", classes);
  for (const auto& synonyms : classes) {
    config.class_names.push_back(synonyms.front());
    config.class_aliases.emplace_back(synonyms.begin() + 1, synonyms.end());
  }
  config.model.num_classes = static_cast<int64_t>(classes.size());
}

void read_parameters(TrainingConfig& config, ConfigReader& reader) {
  config.model.num_parameters = reader.integer("cond_params", 0, kMaxSize);
  if (!reader.has("parameter_names")) return;
  const NameList names = reader.names("parameter_names");
  require_unique(reader, "parameter_names", names);
  for (const auto& synonyms : names) config.parameter_names.push_back(synonyms.front());
  if (static_cast<int64_t>(names.size()) != config.model.num_parameters) {
    reader.fail_value("parameter_names",
                      counted(config.model.num_parameters, "name") + ", as cond_params says");
  }
}

void read_conditioning(TrainingConfig& config, ConfigReader& reader, const Warn& warn) {
  if (!config.data_frame.empty()) {
    if (reader.has("tblock_input_size")) {
      reader.fail_value("tblock_input_size",
                        "model_size in its place: the conditioning's size is up to data_frames");
    }
    warn_without_effect(reader, {"class_names", "cond_params", "parameter_names"},
                        "the data frame's classes and columns are taken", warn);
    return;
  }
  read_classes(config, reader);
  read_parameters(config, reader);
}

void read_embed_size(TrainingConfig& config, ConfigReader& reader) {
  const bool upstream = reader.has("tblock_input_size");
  if (upstream && reader.has("model_size")) {
    reader.fail_value("model_size", "either tblock_input_size or model_size, not both");
  }
  if (!upstream) {
    config.model.embed_size = reader.integer("model_size", 1, kMaxSize);
    return;
  }
  const int64_t cond_size = config.model.cond_size();
  config.model.embed_size =
      reader.integer("tblock_input_size", cond_size + 1, kMaxSize) - cond_size;
}

void read_sizes(TrainingConfig& config, ConfigReader& reader) {
  ModelConfig& model = config.model;
  model.vocab_size = reader.integer("vocab_size", 1, kMaxSize);
  model.num_codebooks = reader.integer("num_tokens", 1, kMaxSize);
  if (reader.has("codebook_delay")) model.codebook_delay = reader.integer("codebook_delay", 0, 1);
  model.lookback = reader.integer("Ti", 1, kMaxSize);
  model.max_length = reader.integer("Tt", 1, kMaxSize);
  model.num_layers = reader.integer("num_layers", 1, kMaxSize);
  model.num_heads = reader.integer("num_heads", 1, kMaxSize);
  model.forward_expansion = reader.integer("forward_expansion", 1, kMaxSize);
  model.dropout = reader.real("dropout_rate", "a number from 0 to below 1",
                              [](float rate) { return rate >= 0 && rate < 1; });
  config.batch_size = reader.integer("batch_size", 1, kMaxSize);
  config.learning_rate = reader.real("learning_rate", "a number above 0",
                                     [](float rate) { return rate > 0 && std::isfinite(rate); });
  config.num_epochs = reader.integer("num_epochs", 1, kMaxCount);
  config.error_log_rate = reader.integer("ErrorLogRate", 1, kMaxCount);
  config.checkpoint_interval = reader.integer("checkpoint_interval", 1, kMaxCount);
}

/// How the model's codes are drawn where nobody says otherwise.
void read_sampling(SampleSettings& sampling, ConfigReader& reader) {
  if (reader.has("top_n")) sampling.top_n = reader.integer("top_n", 1, kMaxTopN);
  if (reader.has("temperature")) {
    sampling.temperature = reader.real("temperature", "a number above 0", [](float value) {
      return value > 0 && std::isfinite(value);
    });
  }
  if (reader.has("min_p")) {
    sampling.min_p = reader.real("min_p", "a number from 0 to 1",
                                 [](float value) { return value >= 0 && value <= 1; });
  }
}

}  // namespace

TrainingConfig read_training_config(const std::filesystem::path& file,
                                    const std::vector<std::string>& overrides,
                                    const std::function<void(const std::string&)>& warn) {
  const std::string text = read_text(file);
  std::vector<std::string_view> known = learning_keys();
  known.insert(known.end(), kKnownKeys.begin(), kKnownKeys.end());
  ConfigReader reader(text, file.string(), known, overrides, warn);
  TrainingConfig config;
  config.file = file;
  config.yaml = overrides.empty() ? text : reader.emit();
  read_experiment(config, reader);
  read_data(config, reader);
  warn_of_codec(reader, overrides, warn);
  refuse_spectrograms(reader);
  read_model_class(config, reader, warn);
  read_conditioning(config, reader, warn);
  read_embed_size(config, reader);
  read_sizes(config, reader);
  read_sampling(config.sampling, reader);
  config.learning = read_learning_config(reader, config.learning_rate);
  if (config.learning.early_stop_epochs > 0 && config.validator_data_dir.empty()) {
    reader.fail_value("early_stop_epochs", "0 without validation data (validator_data_dir)");
  }
  reader.require_nothing_missing();
  ModelConfig credible = config.model;
  if (!config.data_frame.empty()) credible.num_classes = 1;  // at least; the frame will tell
  check_model_config(credible, file.string() + (overrides.empty() ? "" : " and --set"));
  return config;
}

}  // namespace dsf
