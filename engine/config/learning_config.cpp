#include "engine/config/learning_config.h"

#include <fmt/format.h>

#include <cmath>

namespace dsf {
namespace {

constexpr int64_t kMaxBatches = 1'000'000;

LearningRateSchedule read_schedule(ConfigReader& reader) {
  const std::string name = reader.text("lr_schedule");
  if (name == "constant") return LearningRateSchedule::constant;
  if (name == "cosine") return LearningRateSchedule::cosine;
  reader.fail_value("lr_schedule", "constant or cosine");
}

float read_minimum(ConfigReader& reader, const LearningConfig& config, float learning_rate) {
  if (config.schedule != LearningRateSchedule::cosine) {
    reader.fail_value("min_learning_rate",
                      "no value without lr_schedule: cosine, which ends there");
  }
  return reader.real("min_learning_rate",
                     fmt::format("a number from 0 to learning_rate = {}", learning_rate),
                     [&](float rate) { return rate >= 0 && rate <= learning_rate; });
}

}  // namespace

std::vector<std::string_view> learning_keys() {
  return {"weight_decay",       "warmup_steps",       "lr_schedule",      "min_learning_rate",
          "gradient_clip_norm", "accumulate_batches", "early_stop_epochs"};
}

LearningConfig read_learning_config(ConfigReader& reader, float learning_rate) {
  LearningConfig config;
  if (reader.has("weight_decay")) {
    config.weight_decay = reader.real("weight_decay", "a number from 0", [](float decay) {
      return decay >= 0 && std::isfinite(decay);
    });
  }
  if (reader.has("warmup_steps"))
    config.warmup_steps = reader.integer("warmup_steps", 0, kMaxCount);
  if (reader.has("lr_schedule")) config.schedule = read_schedule(reader);
  if (reader.has("min_learning_rate")) {
    config.min_learning_rate = read_minimum(reader, config, learning_rate);
  }
  if (reader.has("gradient_clip_norm")) {
    config.gradient_clip_norm =
        reader.real("gradient_clip_norm", "a number above 0",
                    [](float norm) { return norm > 0 && std::isfinite(norm); });
  }
  if (reader.has("accumulate_batches")) {
    config.accumulate_batches = reader.integer("accumulate_batches", 1, kMaxBatches);
  }
  if (reader.has("early_stop_epochs")) {
    config.early_stop_epochs = reader.integer("early_stop_epochs", 0, kMaxCount);
  }
  return config;
}

}  // namespace dsf
