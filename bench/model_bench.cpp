// Whole training steps and generated frames at the sizes of the configs. One line per work: name,
// median and fastest seconds, share of the limit that binds it (of the fastest; the limit is
// measured in the same run).   model_bench [FILTER]
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "bench/timing.h"
#include "engine/generation/generator.h"
#include "engine/training/learner.h"
#include "kernels/common/random.h"

namespace {

using dsf::ModelClass;
using dsf::ModelConfig;
using dsf::bench::Needs;
using dsf::bench::time_work;

struct Size {
  const char* name;
  int64_t upstream_embed, streaming_embed, layers, heads, expansion, lookback, batch;
};
constexpr Size kSizes[] = {{"params", 504, 512, 4, 8, 4, 172, 8},
                           {"params_sm", 24, 32, 2, 2, 2, 86, 4}};

ModelConfig config_of(const Size& size, ModelClass model_class) {
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

/// Products of an E × E matrix with a position's values in one layer, the feed-forward aside.
double projections(ModelClass model_class) {
  switch (model_class) {
    case ModelClass::rope_concat:
      return 6 + 1 + 1;  // q, k, v twice, out, reduce
    case ModelClass::postnorm_concat:
      return 3 + 1 + 1;  // once
    case ModelClass::rope_film:
    case ModelClass::rope_adaln:
      return 6 +
             1;  // nothing to reduce; what the condition costs, once per sequence, is not counted
    case ModelClass::streaming:
      return 3 + 1;
  }
  dsf::fail("class number {}", static_cast<int>(model_class));
}

/// Multiply-adds of the matrix products of one position, forward.
double products_per_position(const ModelConfig& config) {
  const auto e = static_cast<double>(config.embed_size);
  const auto seen = static_cast<double>(std::min(config.lookback + 1, config.max_length));
  const double square =
      projections(config.model_class) + 2.0 * static_cast<double>(config.forward_expansion);
  const double layer = square * e * e + 2 * seen * e;
  return static_cast<double>(config.num_layers) * layer +
         e * static_cast<double>(config.num_codebooks * config.vocab_size);
}

/// Forward, and backward at twice its cost, of all positions of a batch.
Needs training_needs(const ModelConfig& config, int64_t batch) {
  const auto positions = static_cast<double>(batch * dsf::training_length(config));
  return {6 * positions * products_per_position(config), 0};
}

/// One frame: every weight (the embedding's few rows aside) and the rings are read once; a window
/// model computes Ti positions.
Needs frame_needs(const ModelConfig& config, const dsf::ParameterTable& table) {
  if (config.model_class != ModelClass::streaming) {
    return {2 * static_cast<double>(config.lookback) * products_per_position(config), 0};
  }
  const double embeddings =
      static_cast<double>(config.embed_size) * static_cast<double>(config.vocab_size);
  const double rings = 2.0 * static_cast<double>(config.num_layers * (config.lookback + 1)) *
                       static_cast<double>(config.embed_size);
  return {0, 4 * (static_cast<double>(table.size()) - embeddings + rings)};
}

void bench_training(const std::string& name, const Size& size, ModelClass model_class) {
  const ModelConfig config = config_of(size, model_class);
  dsf::Learner learner(config, size.batch, 5e-4F, 1);
  std::vector<int32_t> frames(static_cast<size_t>(size.batch * 431 * 4));
  for (size_t i = 0; i < frames.size(); ++i) {
    frames[i] = static_cast<int32_t>(dsf::random_words({7, 7, 7}, i)[0] % 1024);
  }
  std::vector<float> cond(static_cast<size_t>(size.batch * config.cond_size()), 0.5F);
  const dsf::Sequences batch{{frames.data(), {size.batch, 431, 4}},
                             {cond.data(), {size.batch, config.cond_size()}}};
  time_work(name, 2, training_needs(config, size.batch),
            [&] { learner.train(dsf::Context{}, batch); });
}

void bench_frame(const std::string& name, const Size& size, ModelClass model_class) {
  const ModelConfig config = config_of(size, model_class);
  const dsf::ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  const dsf::Tensor flat{weights.data(), {table.size()}};
  table.initialise(flat, 1);
  const auto generator = dsf::make_generator(config, table, flat, {});
  const std::vector<float> cond(static_cast<size_t>(config.cond_size()), 0.5F);
  const int fill = model_class == ModelClass::streaming ? static_cast<int>(size.lookback) + 1 : 2;
  time_work(name, fill, frame_needs(config, table),
            [&] { generator->next(dsf::Context{}, cond.data()); });
}

}  // namespace

int main(int argc, char** argv) {
  dsf::bench::Filter filter(argc, argv);
  for (const Size& size : kSizes) {
    for (const ModelClass model_class : dsf::kModelClasses) {
      const std::string_view variant = dsf::variant_name(model_class);
      const std::string train = fmt::format("train_step/{}/{}", size.name, variant);
      if (filter.wants(train)) bench_training(train, size, model_class);
      const std::string frame = fmt::format("frame/{}/{}", size.name, variant);
      if (filter.wants(frame)) bench_frame(frame, size, model_class);
    }
  }
  return filter.exit_code("model_bench");
}
