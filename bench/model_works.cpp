#include "bench/model_works.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "bench/models.h"
#include "engine/training/learner.h"
#include "kernels/common/random.h"
#include "tests/sequences.h"

namespace dsf::bench {
namespace {

constexpr int64_t kQueuedSteps = 16;
constexpr int64_t kQueuedFrames = 32;            // a cached generator's capacity
constexpr double kFrameSeconds = 512 / 44100.0;  // of a codec's frame

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
  fail("class number {}", static_cast<int>(model_class));
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
  const auto positions = static_cast<double>(batch * training_length(config));
  return {6 * positions * products_per_position(config), 0};
}

/// One frame: every weight (the embedding's few rows aside) and the rings are read once; a window
/// model computes Ti positions.
Needs frame_needs(const ModelConfig& config, const ParameterTable& table, WeightFormat format) {
  if (config.model_class != ModelClass::streaming) {
    return {2 * static_cast<double>(config.lookback) * products_per_position(config), 0};
  }
  const double embeddings =
      static_cast<double>(config.embed_size) * static_cast<double>(config.vocab_size);
  const double rings = 2.0 * static_cast<double>(config.num_layers * (config.lookback + 1)) *
                       static_cast<double>(config.embed_size);
  return {0,
          static_cast<double>(bytes_of(format)) * (static_cast<double>(table.size()) - embeddings) +
              4 * rings};
}

/// A learner and its batch, which steps share.
struct Training {
  Learner learner;
  testing::MadeSequences sequences;

  Training(const ModelConfig& config, int64_t batch, const Context& ctx)
      : learner(config, batch, 5e-4F, 1, ctx),
        sequences({batch, config.max_length + 1, config.num_codebooks}, frames(config, batch),
                  std::vector<float>(static_cast<size_t>(batch * config.cond_size()), 0.5F), ctx) {}

  void run() {
    const StepBatch batch{sequences.all()};
    const int64_t steps = std::min(kQueuedSteps, learner.queue_capacity());
    for (int64_t i = 0; i < steps; ++i) learner.queue_step({&batch, 1}, 5e-4F);
    learner.finish_steps();
  }

 private:
  static std::vector<int32_t> frames(const ModelConfig& config, int64_t batch) {
    std::vector<int32_t> codes(
        static_cast<size_t>(batch * (config.max_length + 1) * config.num_codebooks));
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<int32_t>(random_words({7, 7, 7}, i)[0] %
                                      static_cast<uint32_t>(config.vocab_size));
    }
    return codes;
  }
};

/// Other ways to generate than one stream's usual one.
struct Way {
  const char* suffix = "";
  int64_t streams = 1;
  bool composed = false;
  WeightFormat weights = WeightFormat::fp32;
};

ModelWork training_work(const ModelSize& size, ModelClass model_class) {
  const ModelConfig config = config_of(size, model_class);
  ModelWork work;
  work.name = fmt::format("train_step/{}/{}", size.name, variant_name(model_class));
  work.needs = training_needs(config, size.batch);
  work.units = kQueuedSteps;
  work.prepare = [config, batch = size.batch](const Context& ctx) -> std::function<void()> {
    const auto training = std::make_shared<Training>(config, batch, ctx);
    return [training] { training->run(); };
  };
  return work;
}

ModelWork frame_work(const ModelSize& size, ModelClass model_class, const Way& way = {}) {
  const ModelConfig config = config_of(size, model_class);
  ModelWork work;
  work.name = fmt::format("frame/{}/{}{}", size.name, variant_name(model_class), way.suffix);
  work.sound = static_cast<double>(way.streams) * kFrameSeconds;
  work.gpu_only = way.streams > 1 || way.composed;
  work.cpu_only = way.weights != WeightFormat::fp32;
  work.needs = frame_needs(config, ParameterTable(config), way.weights);
  // Rings are to be full.
  if (model_class == ModelClass::streaming) {
    work.warmup = static_cast<int>(size.lookback) + 1;
    work.units = kQueuedFrames;
  }
  GenerationOptions options;
  options.composed = way.composed;
  options.weights = way.weights;
  options.seeds.resize(static_cast<size_t>(way.streams));
  std::iota(options.seeds.begin(), options.seeds.end(), uint64_t{0});
  work.prepare = [config, options](const Context& ctx) -> std::function<void()> {
    const auto generation = std::make_shared<Generation>(config, options, ctx);
    return [generation] { generation->run(); };
  };
  return work;
}

}  // namespace

std::vector<ModelWork> model_works() {
  std::vector<ModelWork> works;
  for (const ModelSize& size : kModelSizes) {
    for (const ModelClass model_class : kModelClasses) {
      works.push_back(training_work(size, model_class));
      works.push_back(frame_work(size, model_class));
    }
  }
  for (const Way& way : {Way{"/composed", 1, true}, Way{"/500_streams", 500},
                         Way{"/bf16_weights", 1, false, WeightFormat::bf16},
                         Way{"/int8_weights", 1, false, WeightFormat::int8}}) {
    works.push_back(frame_work(kModelSizes[0], ModelClass::streaming, way));
  }
  works.push_back(decode_work());
  return works;
}

}  // namespace dsf::bench
