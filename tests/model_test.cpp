// Properties of whole models: relative position, cached = uncached, endlessness, gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "engine/model/cached_decoder.h"
#include "engine/model/transformer.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "tests/model_classes.h"
#include "tests/worst.h"

namespace dsf {
namespace {

ModelConfig small_config(ModelClass model_class) {
  ModelConfig config;
  config.model_class = model_class;
  config.embed_size = 24;
  config.num_layers = 2;
  config.num_heads = 2;
  config.forward_expansion = 2;
  config.lookback = 12;
  config.max_length = 40;
  config.num_codebooks = 4;
  config.vocab_size = 29;
  config.num_classes = 2;
  config.num_parameters = 1;
  return config;
}

/// The class's odd cases: head size 15 (its last channel stays unrotated), one layer more.
ModelConfig odd_config() {
  ModelConfig config = small_config(ModelClass::streaming);
  config.embed_size = 60;
  config.num_heads = 4;
  config.num_layers = 3;
  config.lookback = 7;
  return config;
}

std::vector<int32_t> random_codes(int64_t count, int64_t vocabulary, uint64_t seed) {
  std::vector<int32_t> codes(static_cast<size_t>(count));
  for (size_t i = 0; i < codes.size(); ++i) {
    const uint32_t word = random_words({seed, 77, 0}, i)[0];
    codes[i] = static_cast<int32_t>(word % static_cast<uint32_t>(vocabulary));
  }
  return codes;
}

double relative_difference(const float* a, const float* b, int64_t count) {
  double difference = 0, scale = 0;
  for (int64_t i = 0; i < count; ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    scale += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / scale);
}

const std::vector<float> kCondition{1.0F, 0.0F, 0.3F};

std::vector<float> logits_at(Transformer& model, const std::vector<int32_t>& codes,
                             int64_t first_position) {
  const ModelConfig& config = model.config();
  const auto frames = static_cast<int64_t>(codes.size()) / config.num_codebooks;
  PassOptions options;
  options.first_position = first_position;
  const Batch batch{{codes.data(), {1, frames, config.num_codebooks}},
                    {kCondition.data(), {1, config.cond_size()}}};
  const Tensor logits = model.forward(Context{}, batch, options);
  return {logits.data, logits.data + logits.size()};
}

class StreamingModel : public ::testing::TestWithParam<ModelConfig> {};

TEST_P(StreamingModel, LogitsDoNotChangeWhenTheSequenceIsShifted) {
  const ModelConfig config = GetParam();
  Transformer model(config, {1, 60, 1, false});
  model.table().initialise(model.weights(), 5);
  const auto codes = random_codes(60 * config.num_codebooks, config.vocab_size, 1);
  const std::vector<float> here = logits_at(model, codes, 0);
  for (const int64_t shift : {1, 86, 12'345, 1'000'000'000}) {
    const std::vector<float> there = logits_at(model, codes, shift);
    const double error =
        relative_difference(there.data(), here.data(), static_cast<int64_t>(here.size()));
    std::printf("    shift %-12ld relative difference %.2e, limit 1e-05\n", shift, error);
    EXPECT_LE(error, 1e-5) << "shifted by " << shift;
  }
}

TEST_P(StreamingModel, CachedLogitsEqualTheBandedForwardAtEveryFrame) {
  constexpr int64_t kFrames = 2000;
  const ModelConfig config = GetParam();
  Transformer model(config, {1, kFrames, 1, false});
  model.table().initialise(model.weights(), 6);
  auto codes = random_codes(kFrames * config.num_codebooks, config.vocab_size, 2);
  std::fill_n(codes.begin(), config.num_codebooks, static_cast<int32_t>(config.vocab_size));
  const std::vector<float> banded = logits_at(model, codes, 0);

  CachedDecoder decoder(config, model.table(), model.weights(), 1);
  decoder.set_conditioning(Context{}, {kCondition.data(), {1, config.cond_size()}});
  const int64_t width = config.num_codebooks * config.vocab_size;
  double worst = 0;
  for (int64_t frame = 0; frame < kFrames; ++frame) {
    const Tensor logits = decoder.forward(
        Context{}, {codes.data() + frame * config.num_codebooks, {1, config.num_codebooks}});
    worst = testing::worse(worst,
                           relative_difference(logits.data, banded.data() + frame * width, width));
  }
  std::printf("    largest relative difference over %ld frames %.2e, limit 1e-04\n", kFrames,
              worst);
  EXPECT_LE(worst, 1e-4);
}

/// The logits after `shared` frames that end just before position `end`, preceded by others.
std::vector<float> logits_before(const ModelConfig& config, Transformer& model, int64_t end,
                                 const std::vector<int32_t>& shared, uint64_t junk_seed) {
  const int64_t n = config.num_codebooks, count = static_cast<int64_t>(shared.size()) / n;
  const int64_t junk_frames = std::min<int64_t>(end - count, 3 * count);
  const auto junk = random_codes(junk_frames * n, config.vocab_size, junk_seed);
  CachedDecoder decoder(config, model.table(), model.weights(), 1);
  decoder.reset(end - count - junk_frames);
  decoder.set_conditioning(Context{}, {kCondition.data(), {1, config.cond_size()}});
  for (int64_t i = 0; i < junk_frames; ++i) {
    decoder.forward(Context{}, {junk.data() + i * n, {1, n}});
  }
  Tensor logits;
  for (int64_t i = 0; i < count; ++i) {
    logits = decoder.forward(Context{}, {shared.data() + i * n, {1, n}});
  }
  EXPECT_EQ(decoder.position(), end);
  return {logits.data, logits.data + logits.size()};
}

TEST_P(StreamingModel, AMillionFramesOnTheLogitsAreTheSame) {
  const ModelConfig config = GetParam();
  Transformer model(config, {1, 1, 1, false});
  model.table().initialise(model.weights(), 8);
  const int64_t reach = config.num_layers * (config.lookback + 1);
  const auto shared = random_codes(reach * config.num_codebooks, config.vocab_size, 9);
  const auto early = logits_before(config, model, 1000, shared, 10);
  const auto late = logits_before(config, model, 1'000'000, shared, 11);
  const double error =
      relative_difference(late.data(), early.data(), static_cast<int64_t>(early.size()));
  std::printf("    relative difference %.2e, limit 1e-05\n", error);
  EXPECT_LE(error, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Models, StreamingModel,
                         ::testing::Values(small_config(ModelClass::streaming), odd_config()));

/// The loss of a batch in double, from the logits.
double double_loss(ConstTensor logits, const std::vector<int32_t>& targets, int64_t vocabulary) {
  double sum = 0;
  for (size_t row = 0; row < targets.size(); ++row) {
    const float* values = logits.data + static_cast<int64_t>(row) * vocabulary;
    double total = 0;
    for (int64_t v = 0; v < vocabulary; ++v) total += std::exp(static_cast<double>(values[v]));
    sum += std::log(total) - values[targets[row]];
  }
  return sum / static_cast<double>(targets.size());
}

/// As in training: dropout, conditioning that is constant over a sequence. Or plain: neither.
enum class PassKind { training, plain };

class ModelGradient : public ::testing::TestWithParam<std::tuple<ModelClass, PassKind>> {};

// Along each parameter's own gradient the loss must rise by that gradient's norm.
TEST_P(ModelGradient, AgreesWithFiniteDifferences) {
  const auto [model_class, kind] = GetParam();
  const ModelConfig config = small_config(model_class);
  const int64_t b = 2, t = 20, n = config.num_codebooks;
  Transformer model(config, {b, t, 0, true});
  model.table().initialise(model.weights(), 3);
  const auto codes = random_codes(b * t * n, config.vocab_size, 4);
  const auto targets = random_codes(b * t * n, config.vocab_size, 5);
  const int64_t rows = kind == PassKind::plain ? b * t : b;
  std::vector<float> cond(static_cast<size_t>(rows * config.cond_size()));
  for (size_t i = 0; i < cond.size(); ++i) cond[i] = to_unit(random_words({6, 78, 0}, i)[0]);
  const Batch batch{{codes.data(), {b, t, n}}, {cond.data(), {rows, config.cond_size()}}};
  PassOptions options;
  options.dropout = kind == PassKind::plain ? 0.0F : 0.2F;
  options.seed = 9;
  options.step = 4;
  const auto loss = [&] {
    return double_loss(model.forward(Context{}, batch, options), targets, config.vocab_size);
  };

  const Tensor logits = model.forward(Context{}, batch, options);
  const Shape by_code{b * t * n};
  std::vector<float> losses(targets.size());
  float mean = 0;
  const Tensor rows_of_logits = logits.reshaped({b * t * n, config.vocab_size});
  cross_entropy_forward_backward(Context{}, {&mean, {1}}, {losses.data(), by_code},
                                 overwrite(rows_of_logits), rows_of_logits,
                                 {targets.data(), by_code});
  model.backward(Context{}, logits, batch);

  for (const Parameter& parameter : model.table().entries()) {
    const Tensor weight = model.weight(parameter.name);
    const Tensor gradient = model.table().view(model.gradients(), parameter.name);
    double norm = 0;
    for (int64_t i = 0; i < gradient.size(); ++i) norm += std::pow(gradient[i], 2);
    norm = std::sqrt(norm);
    ASSERT_GT(norm, 1e-4) << parameter.name << " gets no gradient";
    const std::vector<float> origin(weight.data, weight.data + weight.size());
    const double step = 0.001;
    const auto loss_at = [&](double distance) {
      for (int64_t i = 0; i < weight.size(); ++i) {
        weight[i] =
            origin[static_cast<size_t>(i)] + static_cast<float>(distance * gradient[i] / norm);
      }
      return loss();
    };
    const double difference = (loss_at(step) - loss_at(-step)) / (2 * step);
    std::ranges::copy(origin, weight.data);
    // Float logits are off by some 3e-7, the mean loss of 160 codes by 1/√160 of that: 1.2e-5 over
    // 2·step. Third derivatives add step²-terms; the kinks of ReLUs that are crossed, step-terms.
    EXPECT_NEAR(difference, norm, 0.01 * norm + 3e-5) << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ModelGradient,
                         ::testing::Combine(::testing::ValuesIn(kModelClasses),
                                            ::testing::Values(PassKind::training,
                                                              PassKind::plain)));

class EveryModel : public ::testing::TestWithParam<ModelClass> {};

TEST_P(EveryModel, ConditioningPerSequenceEqualsTheSamePerPosition) {
  const ModelConfig config = small_config(GetParam());
  const int64_t b = 2, t = 15, n = config.num_codebooks, c = config.cond_size();
  Transformer model(config, {b, t, 0, false});
  model.table().initialise(model.weights(), 12);
  const auto codes = random_codes(b * t * n, config.vocab_size, 13);
  const std::vector<float> rows{1.0F, 0.0F, 0.3F, 0.0F, 1.0F, 0.8F};
  std::vector<float> repeated;
  for (int64_t position = 0; position < b * t; ++position) {
    const auto row = rows.begin() + position / t * c;
    repeated.insert(repeated.end(), row, row + c);
  }
  const auto logits_with = [&](const std::vector<float>& cond) {
    const Batch batch{{codes.data(), {b, t, n}},
                      {cond.data(), {static_cast<int64_t>(cond.size()) / c, c}}};
    const Tensor logits = model.forward(Context{}, batch);
    return std::vector<float>(logits.data, logits.data + logits.size());
  };
  const auto few = logits_with(rows), many = logits_with(repeated);
  // The products of 2 and of 30 rows may sum in another order.
  EXPECT_LE(relative_difference(few.data(), many.data(), static_cast<int64_t>(few.size())), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Models, EveryModel, ::testing::ValuesIn(kModelClasses), class_test_name);

}  // namespace
}  // namespace dsf
