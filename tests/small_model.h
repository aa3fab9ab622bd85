#pragma once
// Models that take a moment to compute, and a few steps of training for them.
#include <cstdint>
#include <vector>

#include "engine/training/learner.h"
#include "kernels/common/random.h"
#include "tests/sequences.h"

namespace dsf::testing {

inline ModelConfig small_model(ModelClass model_class = ModelClass::streaming) {
  ModelConfig config;
  config.model_class = model_class;
  config.embed_size = 24;
  config.num_layers = 2;
  config.num_heads = 2;
  config.forward_expansion = 2;
  config.lookback = 8;
  config.max_length = 20;
  config.num_codebooks = 4;
  config.vocab_size = 64;
  config.num_classes = 2;
  config.num_parameters = 1;
  return config;
}

/// Smaller still, for tests of what is stored of it.
inline ModelConfig stored_model(ModelClass model_class = ModelClass::streaming) {
  ModelConfig config = small_model(model_class);
  config.lookback = 5;
  config.max_length = 6;
  config.num_codebooks = 2;
  config.vocab_size = 20;
  config.num_classes = 3;
  config.dropout = 0.125F;
  return config;
}

/// Takes `steps` steps on two sequences of random frames.
inline void train_on_noise(Learner& learner, int steps, uint64_t seed) {
  const ModelConfig& config = learner.model().config();
  const Shape shape{2, config.max_length + 1, config.num_codebooks};
  std::vector<int32_t> frames(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < frames.size(); ++i) {
    frames[i] = static_cast<int32_t>(random_words({seed, 5, 0}, i)[0] %
                                     static_cast<uint32_t>(config.vocab_size));
  }
  const MadeSequences sequences(
      shape, frames, std::vector<float>(static_cast<size_t>(2 * config.cond_size()), 0.5F));
  for (int step = 0; step < steps; ++step) learner.train(sequences.all());
}

}  // namespace dsf::testing
