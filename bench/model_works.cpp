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
struct Projections {
  double seen = 0;  // for what later positions see of it: keys, values, what they are made of
  double own = 0;   // queries, out
};

Projections projections(ModelClass model_class) {
  switch (model_class) {
    case ModelClass::rope_concat:
      return {4 + 1, 2 + 1};  // q, k, v twice, reduce
    case ModelClass::postnorm_concat:
      return {2 + 1, 1 + 1};  // once
    case ModelClass::rope_film:
    case ModelClass::rope_adaln:
      return {4, 2 + 1};  // nothing to reduce; the condition's rows are not counted
    case ModelClass::streaming:
      return {2, 1 + 1};
  }
  fail("class number {}", static_cast<int>(model_class));
}

/// Multiply-adds of the matrix products of `length` positions, forward, of which the last `given`
/// are wanted behind the last layer.
double products(const ModelConfig& config, int64_t length, int64_t given) {
  const auto e = static_cast<double>(config.embed_size), count = static_cast<double>(length),
             wanted = static_cast<double>(given);
  const auto seen_by = [&](int64_t position) {
    return static_cast<double>(std::min(config.lookback, position) + 1);
  };
  double seen = 0, seen_last = 0;
  for (int64_t i = 0; i < length; ++i) {
    seen += seen_by(i);
    if (i >= length - given) seen_last += seen_by(i);
  }
  const Projections each = projections(config.model_class);
  const double own = each.own + 2.0 * static_cast<double>(config.forward_expansion);
  const double whole_layer = count * (each.seen + own) * e * e + 2 * seen * e;
  const double last_layer = (count * each.seen + wanted * own) * e * e + 2 * seen_last * e;
  return static_cast<double>(config.num_layers - 1) * whole_layer + last_layer +
         wanted * e * static_cast<double>(config.num_codebooks * config.vocab_size);
}

/// Forward, and backward at twice its cost, of all positions of a batch.
Needs training_needs(const ModelConfig& config, int64_t batch) {
  const int64_t length = training_length(config);
  return {6 * static_cast<double>(batch) * products(config, length, length), 0};
}

/// Bytes that a frame of one stream reads: the matrices of its products, in int8 with a factor for
/// each row, biases, γ and β, and full rings. Codewords, and what is computed once per condition,
/// are not among them.
double frame_bytes(const ModelConfig& config, WeightFormat format) {
  const int64_t e = config.embed_size, hidden = config.forward_expansion * e,
                logits = config.num_codebooks * config.vocab_size;
  const int64_t matrices = config.num_layers * (4 * e * e + 2 * e * hidden) + logits * e;
  const int64_t rows = config.num_layers * (4 * e + hidden + e) + logits;
  const int64_t floats = rows + config.num_layers * 4 * e + 2 * e +
                         (format == WeightFormat::int8 ? rows : 0) +
                         2 * config.num_layers * (config.lookback + 1) * e;
  return static_cast<double>(bytes_of(format) * matrices) + 4 * static_cast<double>(floats);
}

/// One frame of one stream. A window model computes Ti positions, the last of which is wanted.
Needs frame_needs(const ModelConfig& config, WeightFormat format) {
  if (config.model_class == ModelClass::streaming) return {0, frame_bytes(config, format)};
  return {2 * products(config, config.lookback, 1), 0};
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
  work.needs = frame_needs(config, way.weights);
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
