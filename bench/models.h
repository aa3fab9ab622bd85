#pragma once
// Models that benches train and draw from.
#include <memory>
#include <vector>

#include "engine/generation/generator.h"
#include "engine/model/model_config.h"
#include "engine/model/parameters.h"

namespace dsf::bench {

struct ModelSize {
  const char* name;
  int64_t upstream_embed, streaming_embed, layers, heads, expansion, lookback, batch;
};
inline constexpr ModelSize kModelSizes[] = {{"params", 504, 512, 4, 8, 4, 172, 8},
                                            {"params_sm", 24, 32, 2, 2, 2, 86, 4}};

inline ModelConfig config_of(const ModelSize& size, ModelClass model_class) {
  ModelConfig config;
  config.model_class = model_class;
  config.embed_size =
      model_class == ModelClass::streaming ? size.streaming_embed : size.upstream_embed;
  config.num_layers = size.layers;
  config.num_heads = size.heads;
  config.forward_expansion = size.expansion;
  config.lookback = size.lookback;
  config.max_length = 430;
  config.num_codebooks = 4;
  config.vocab_size = 1024;
  config.num_classes = 7;
  config.num_parameters = 1;
  config.dropout = 0.2F;
  return config;
}

/// A model with random weights and its generator.
struct Generation {
  ModelConfig config;
  ParameterTable table{config};
  std::vector<float> weights = std::vector<float>(static_cast<size_t>(table.size()));
  std::vector<float> cond = std::vector<float>(static_cast<size_t>(config.cond_size()), 0.5F);
  std::unique_ptr<FrameGenerator> generator;

  Generation(const ModelConfig& model, const GenerationOptions& options, const Context& ctx)
      : config(model) {
    const Tensor flat(weights.data(), {table.size()});
    table.initialise(flat, 1);
    generator = make_generator(config, table, flat, options, {}, ctx);
  }

  void run() {
    for (int64_t i = 0; i < generator->capacity(); ++i) generator->draw(cond.data());
    generator->fetch();
  }
};

}  // namespace dsf::bench
