#include "engine/dataset/training_yaml.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/files/counted.h"
#include "engine/files/quote.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kModelSize = 32;
constexpr int64_t kHeads = 2;
constexpr double kLookbackSeconds = 1;

/// A YAML scalar in double quotes, which JSON's strings are; what is not UTF-8 shows as such.
std::string text(const std::string& value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What a run of this data set is called: as its folder.
std::string experiment(const fs::path& folder) {
  std::string name = folder.lexically_normal().filename().string();
  std::string parent = folder.lexically_normal().parent_path().filename().string();
  if (!name.empty() && name != "." && name != "..") return name;
  return parent.empty() || parent == ".." ? "dataset" : parent;
}

/// Names in a comment: on one line, whatever they hold.
std::string names(const std::vector<std::string>& list) {
  std::vector<std::string> shown;
  std::ranges::transform(list, std::back_inserter(shown), quote);
  return list.empty() ? "none" : fmt::format("{}", fmt::join(shown, ", "));
}

/// The least size from kModelSize on that heads and codebooks divide.
int64_t model_size(int64_t codebooks) {
  const int64_t unit = std::lcm(kHeads, codebooks);
  return (kModelSize + unit - 1) / unit * unit;
}

}  // namespace

std::string training_yaml(const TrainingYaml& data) {
  const fs::path folder = fs::absolute(data.folder);
  const auto side = [&](const char* name) { return text((folder / name).string()); };
  const int64_t longest = data.frames - 1;
  const auto lookback = std::min<int64_t>(
      longest, std::max<int64_t>(1, std::llround(kLookbackSeconds * data.frames_per_second)));
  std::string yaml = fmt::format(
      "# Written by dsf_codec dataset, with the model of configs/params_med.yaml.\n"
      "# {} {}: {}\n"
      "# {}: {}; dataset.json says what their numbers mean\n"
      "\n"
      "experiment: {}\n"
      "data_dir: {}\n"
      "data_frames: {}\n",
      data.classes.size(), data.classes.size() == 1 ? "class" : "classes", names(data.classes),
      counted(data.parameters.size(), "parameter"), names(data.parameters),
      text(experiment(folder)), side("train"), side("train.csv"));
  yaml += data.validates ? fmt::format("validator_data_dir: {}\nvalidator_data_frames: {}\n",
                                       side("validation"), side("validation.csv"))
                         : "validator_data_dir: null\nvalidator_data_frames: null\n";
  if (!data.codec.empty()) yaml += fmt::format("codec: {}\n", text(data.codec));
  yaml += fmt::format(
      "\n"
      "TransformerClass: \"StreamingDACTransformer\"\n"
      "model_size: {}\n"
      "num_layers: 2\n"
      "num_heads: {}\n"
      "forward_expansion: 2\n"
      "Ti: {}    # frames that a frame looks back on\n"
      "Tt: {}    # frames of a training sequence: files hold one more\n"
      "codebook_delay: {}    # 1: a frame's codes are drawn one after another\n"
      "\n"
      "vocab_size: {}\n"
      "num_tokens: {}\n"
      "\n"
      "batch_size: 4\n"
      "dropout_rate: 0.2\n"
      "learning_rate: 0.0005\n"
      "num_epochs: 1000\n"
      "ErrorLogRate: 10\n"
      "checkpoint_interval: 50\n",
      model_size(data.codebooks), kHeads, lookback, longest, longest >= data.codebooks - 1 ? 1 : 0,
      data.codebook_size, data.codebooks);
  return yaml;
}

}  // namespace dsf
