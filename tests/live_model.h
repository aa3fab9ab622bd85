#pragma once
// A small model to be streamed.
#include <vector>

#include "engine/live/live_renderer.h"
#include "tests/random_codec.h"
#include "tests/small_model.h"

namespace dsf::testing {

struct LiveSizes {
  int64_t delay = 0;
  double gain = 0;
  ModelClass model_class = ModelClass::streaming;
  float factor = 4;  // of weights: random ones heed the conditioning little, these more
};

/// Random weights: what it says is noise, but the same noise each time.
inline LiveModel live_model(const LiveSizes& sizes = {}, const Context& ctx = {}) {
  ModelConfig config = small_model(sizes.model_class);
  config.num_codebooks = 3;
  config.vocab_size = 16;
  config.embed_size = 24;
  config.codebook_delay = sizes.delay;
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 3);
  for (float& weight : weights) weight *= sizes.factor;
  CheckpointInfo info;
  info.config = config;
  info.class_names = {"wind", "rain"};
  info.parameter_names = {"strength"};
  Codec codec(RandomCodec(small_codec({4, 2})).weights(), ctx);
  LiveModel live{{info, table, weights}, std::move(codec), {}, {}, {}, 0, 0, {}};
  live.timing = CodeTiming(live.codec);
  live.begin = {1, 0, 0.5F};
  live.names = {"wind", "rain", "strength"};
  live.seed = 5;
  live.gain = sizes.gain;
  return live;
}

/// So many samples from where it is.
inline std::vector<float> rendered(LiveRenderer& renderer, size_t samples) {
  std::vector<float> sound;
  while (sound.size() < samples) {
    const std::span<const float> chunk = renderer.render();
    sound.insert(sound.end(), chunk.begin(), chunk.end());
  }
  sound.resize(samples);
  return sound;
}

}  // namespace dsf::testing
