#pragma once
// How a run learns beyond what upstream's configuration says: optional keys, by default as upstream
// trains (Adam at a constant rate, to the last epoch).
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/config/config_reader.h"

namespace dsf {

/// Of steps and epochs: the largest that a configuration may ask for.
inline constexpr int64_t kMaxCount = 1'000'000'000;

enum class LearningRateSchedule { constant, cosine };

struct LearningConfig {
  float weight_decay = 0;    // of AdamW, on all parameters
  int64_t warmup_steps = 0;  // optimizer steps over which the learning rate rises from 0
  LearningRateSchedule schedule = LearningRateSchedule::constant;
  float min_learning_rate = 0;              // where the cosine ends
  std::optional<float> gradient_clip_norm;  // longest gradient that is not shortened
  int64_t accumulate_batches = 1;           // batches of an optimizer step
  int64_t early_stop_epochs = 0;            // without improvement; 0: train to the end

  bool operator==(const LearningConfig&) const = default;
};

/// The keys that read_learning_config knows.
std::vector<std::string_view> learning_keys();

/// Reads the keys that are there. `learning_rate` is the run's, which min_learning_rate may not
/// exceed. A value of the wrong type or out of range, or a min_learning_rate without the cosine
/// that would end there, is a UsageError that names place and key.
LearningConfig read_learning_config(ConfigReader& reader, float learning_rate);

}  // namespace dsf
