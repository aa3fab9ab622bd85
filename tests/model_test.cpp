// Properties of whole models: relative position, cached = uncached, endlessness, gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>

#include "engine/model/cached_decoder.h"
#include "engine/model/transformer.h"
#include "kernels/common/parallel.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "tests/double_loss.h"
#include "tests/model_classes.h"
#include "tests/small_model.h"
#include "tests/worst.h"

namespace dsf {
namespace {

ModelConfig small_config(ModelClass model_class) {
  ModelConfig config = testing::small_model(model_class);
  config.lookback = 12;
  config.max_length = 40;
  config.vocab_size = 29;
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

/// Two ways to the same logits. Each has, as decode_step against its double-precision loop, some
/// ten roundings of 2^-24 for each layer, amplified by the norms.
void expect_same_logits(double error, const ModelConfig& config, const std::string& what) {
  const double limit = 1e-6 * static_cast<double>(config.num_layers);
  std::printf("    %-24s relative difference %.2e, limit %.0e (%.0f %% used)\n", what.c_str(),
              error, limit, 100 * error / limit);
  EXPECT_LE(error, limit) << what;
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

class AnyModel : public ::testing::TestWithParam<ModelClass> {};

// A pass that gives the last position alone, whatever the conditions' rows are, and in sequences
// longer and shorter than what a position sees.
TEST_P(AnyModel, LastLogitsAreTheLastOfAll) {
  constexpr int64_t kStreams = 3;
  const ModelConfig config = small_config(GetParam());
  const int64_t n = config.num_codebooks, c = config.cond_size(), width = n * config.vocab_size;
  for (const int64_t length : {1, 9, 30}) {
    const int64_t positions = kStreams * length;
    Transformer model(config, {kStreams, length, 0, false});
    model.table().initialise(model.weights(), 5);
    const auto codes = random_codes(positions * n, config.vocab_size, 6);
    std::vector<float> cond(static_cast<size_t>(positions * c));
    for (size_t i = 0; i < cond.size(); ++i) cond[i] = static_cast<float>(i % 7) / 7;
    double worst = 0;
    for (const int64_t rows : {int64_t{1}, kStreams, positions}) {
      const Batch batch{{codes.data(), {kStreams, length, n}}, {cond.data(), {rows, c}}};
      const Tensor all = model.forward({}, batch);
      const std::vector<float> expected(all.data, all.data + all.size());
      PassOptions options;
      options.last_logits_only = true;
      const Tensor last = model.forward({}, batch, options);
      ASSERT_EQ(last.shape, (Shape{kStreams, 1, width}));
      for (int64_t b = 0; b < kStreams; ++b) {
        worst = testing::worse(
            worst, relative_difference(last.data + b * width,
                                       expected.data() + ((b + 1) * length - 1) * width, width));
      }
    }
    expect_same_logits(worst, config, fmt::format("last of {}", length));
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, AnyModel, ::testing::ValuesIn(kModelClasses), class_test_name);

class StreamingModel : public ::testing::TestWithParam<ModelConfig> {};

TEST_P(StreamingModel, LogitsDoNotChangeWhenTheSequenceIsShifted) {
  const ModelConfig config = GetParam();
  Transformer model(config, {1, 60, 1, false});
  model.table().initialise(model.weights(), 5);
  const auto codes = random_codes(60 * config.num_codebooks, config.vocab_size, 1);
  const std::vector<float> here = logits_at(model, codes, 0);
  for (const int64_t shift : {1, 86, 12'345, 1'000'000'000}) {
    const std::vector<float> there = logits_at(model, codes, shift);
    expect_same_logits(
        relative_difference(there.data(), here.data(), static_cast<int64_t>(here.size())), config,
        fmt::format("shifted by {}", shift));
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
  decoder.set_conditioning({kCondition.data(), {1, config.cond_size()}});
  const int64_t width = config.num_codebooks * config.vocab_size;
  double worst = 0;
  for (int64_t frame = 0; frame < kFrames; ++frame) {
    const Tensor logits =
        decoder.forward({codes.data() + frame * config.num_codebooks, {1, config.num_codebooks}});
    worst = testing::worse(worst,
                           relative_difference(logits.data, banded.data() + frame * width, width));
  }
  expect_same_logits(worst, config, fmt::format("worst of {} frames", kFrames));
}

TEST_P(StreamingModel, EachStreamHasItsOwnCondition) {
  constexpr int64_t kFrames = 40, kStreams = 3;
  const ModelConfig config = GetParam();
  const int64_t n = config.num_codebooks, c = config.cond_size(), width = n * config.vocab_size;
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  const Tensor flat(weights.data(), {table.size()});
  table.initialise(flat, 14);
  const auto codes = random_codes(kFrames * kStreams * n, config.vocab_size + 1, 15);
  // Conditions that change while the streams run: rows of [kStreams, C].
  const std::vector<float> first{1, 0, 0.1F, 0, 1, 0.9F, 0.5F, 0.5F, 0.4F};
  const std::vector<float> second{0, 1, 0.1F, 0, 1, 0.2F, 1, 0, 0.4F};
  CachedDecoder together(config, table, flat, kStreams);
  std::vector<CachedDecoder> alone;
  for (int64_t s = 0; s < kStreams; ++s) alone.emplace_back(config, table, flat, 1);
  double worst = 0;
  for (int64_t frame = 0; frame < kFrames; ++frame) {
    const std::vector<float>& cond = frame < kFrames / 2 ? first : second;
    const int32_t* tokens = codes.data() + frame * kStreams * n;
    together.set_conditioning({cond.data(), {kStreams, c}});
    const Tensor logits = together.forward({tokens, {kStreams, n}});
    for (int64_t s = 0; s < kStreams; ++s) {
      CachedDecoder& single = alone[static_cast<size_t>(s)];
      single.set_conditioning({cond.data() + s * c, {1, c}});
      const Tensor expected = single.forward({tokens + s * n, {1, n}});
      worst =
          testing::worse(worst, relative_difference(logits.data + s * width, expected.data, width));
    }
  }
  expect_same_logits(worst, config, fmt::format("worst of {} streams", kStreams));
}

/// Whether a CachedDecoder keeps a parameter in a format that it is asked for.
bool is_kept_so(const std::string& name) {
  if (name == "final_layer.weight") return true;
  return std::ranges::any_of(std::array{"in_proj_weight", "out_proj.weight",
                                        "feed_forward.0.weight", "feed_forward.2.weight"},
                             [&](const char* end) { return name.ends_with(end); });
}

// Frames of weights kept in fewer bits are those of the weights that these say.
TEST_P(StreamingModel, WeightsInFewerBitsAreRoundedOnes) {
  constexpr int64_t kFrames = 30, kStreams = 2;
  const ModelConfig config = GetParam();
  const int64_t n = config.num_codebooks, width = n * config.vocab_size;
  const ParameterTable table(config);
  std::vector<float> exact(static_cast<size_t>(table.size()));
  table.initialise({exact.data(), {table.size()}}, 15);
  const auto codes = random_codes(kFrames * kStreams * n, config.vocab_size, 16);
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8}) {
    std::vector<float> rounded = exact;
    const Tensor flat(rounded.data(), {table.size()});
    for (const Parameter& parameter : table.entries()) {
      if (!is_kept_so(parameter.name)) continue;
      const Tensor weights = table.view(flat, parameter.name);
      std::ranges::copy(StoredWeights(format, weights).floats(), weights.data);
    }
    CachedDecoder decoder(config, table, {exact.data(), {table.size()}}, kStreams, {}, false,
                          format);
    CachedDecoder expected(config, table, flat, kStreams),
        unrounded(config, table, {exact.data(), {table.size()}}, kStreams);
    double worst = 0, least = 1;
    for (CachedDecoder* each : {&decoder, &expected, &unrounded}) {
      each->set_conditioning({kCondition.data(), {1, config.cond_size()}});
    }
    for (int64_t frame = 0; frame < kFrames; ++frame) {
      const ConstIndexTensor tokens(codes.data() + frame * kStreams * n, {kStreams, n});
      const Tensor logits = decoder.forward(tokens);
      worst = testing::worse(
          worst, relative_difference(logits.data, expected.forward(tokens).data, kStreams * width));
      least = std::min(least, relative_difference(logits.data, unrounded.forward(tokens).data,
                                                  kStreams * width));
    }
    expect_same_logits(worst, config, std::string(name_of(format)));
    EXPECT_GT(least, 1e-4) << "float32 weights give others";
  }
}

// However many threads go through a frame together.
TEST_P(StreamingModel, FramesDoNotDependOnTheThreads) {
  constexpr int64_t kFrames = 20;
  ModelConfig config = GetParam();
  config.forward_expansion = 12;  // weights that are worth three threads
  const int64_t n = config.num_codebooks;
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 15);
  for (const int64_t streams : {1, 2, 4}) {
    const auto codes = random_codes(kFrames * streams * n, config.vocab_size, 16);
    for (const WeightFormat format : {WeightFormat::fp32, WeightFormat::bf16, WeightFormat::int8}) {
      std::vector<std::vector<float>> logits;
      for (const int threads : {1, 2, 3}) {
        const ThreadLimit limit(threads);
        CachedDecoder decoder(config, table, {weights.data(), {table.size()}}, streams, {}, false,
                              format);
        decoder.set_conditioning({kCondition.data(), {1, config.cond_size()}});
        std::vector<float>& all = logits.emplace_back();
        for (int64_t frame = 0; frame < kFrames; ++frame) {
          const Tensor of_frame =
              decoder.forward({codes.data() + frame * streams * n, {streams, n}});
          all.insert(all.end(), of_frame.data, of_frame.data + of_frame.size());
        }
      }
      EXPECT_EQ(logits[1], logits[0]) << name_of(format) << ", " << streams << " streams";
      EXPECT_EQ(logits[2], logits[0]) << name_of(format) << ", " << streams << " streams";
    }
  }
}

/// The logits after `shared` frames that end just before position `end`, preceded by others.
std::vector<float> logits_before(const ModelConfig& config, Transformer& model, int64_t end,
                                 const std::vector<int32_t>& shared, uint64_t junk_seed) {
  const int64_t n = config.num_codebooks, count = static_cast<int64_t>(shared.size()) / n;
  const int64_t junk_frames = std::min<int64_t>(end - count, 3 * count);
  const auto junk = random_codes(junk_frames * n, config.vocab_size, junk_seed);
  CachedDecoder decoder(config, model.table(), model.weights(), 1);
  decoder.reset(end - count - junk_frames);
  decoder.set_conditioning({kCondition.data(), {1, config.cond_size()}});
  for (int64_t i = 0; i < junk_frames; ++i) {
    decoder.forward({junk.data() + i * n, {1, n}});
  }
  Tensor logits;
  for (int64_t i = 0; i < count; ++i) {
    logits = decoder.forward({shared.data() + i * n, {1, n}});
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
  expect_same_logits(
      relative_difference(late.data(), early.data(), static_cast<int64_t>(early.size())), config,
      "a million frames on");
}

INSTANTIATE_TEST_SUITE_P(Models, StreamingModel,
                         ::testing::Values(small_config(ModelClass::streaming), odd_config()));

/// As in training: dropout, conditioning that is constant over a sequence. Or plain: neither.
enum class PassKind { training, plain };

class ModelGradient : public ::testing::TestWithParam<std::tuple<ModelClass, PassKind>> {
 protected:
  static constexpr int64_t kSequences = 2, kLength = 20;

  void SetUp() override {
    model_.table().initialise(model_.weights(), 3);
    if (config_.model_class == ModelClass::streaming) {  // its sequences begin with a start frame
      // Its embedding begins 1/50 as large as upstream's. The steps below are for values about 1,
      // and a slope's error is that of the step's share of the values.
      const Tensor embedding = model_.weight("embedding.weight");
      for (int64_t i = 0; i < embedding.size(); ++i) embedding[i] *= 50;
      for (int64_t s = 0; s < kSequences; ++s) {
        std::fill_n(codes_.begin() + s * kLength * n_, n_,
                    static_cast<int32_t>(config_.vocab_size));
      }
    }
    for (size_t i = 0; i < cond_.size(); ++i) cond_[i] = to_unit(random_words({6, 78, 0}, i)[0]);
    options_.dropout = plain_ ? 0.0F : 0.2F;
    options_.seed = 9;
    options_.step = 4;
  }

  double loss() {
    return testing::double_loss(model_.forward(Context{}, batch_, options_), targets_,
                                config_.vocab_size);
  }

  void backward() {
    const Tensor logits = model_.forward(Context{}, batch_, options_);
    const Shape by_code{static_cast<int64_t>(targets_.size())};
    std::vector<float> losses(targets_.size());
    float mean = 0;
    const Tensor rows = logits.reshaped({by_code[0], config_.vocab_size});
    cross_entropy_forward_backward(Context{}, {&mean, {1}}, {losses.data(), by_code},
                                   overwrite(rows), rows, {targets_.data(), by_code}, by_code[0]);
    model_.backward(Context{}, logits, batch_);
  }

  /// How fast the loss rises where `weight` moves along a direction of unit length.
  double slope(Tensor weight, const std::vector<double>& direction, double step) {
    const std::vector<float> origin(weight.data, weight.data + weight.size());
    const auto loss_at = [&](double distance) {
      for (size_t i = 0; i < origin.size(); ++i) {
        weight[static_cast<int64_t>(i)] = origin[i] + static_cast<float>(distance * direction[i]);
      }
      return loss();
    };
    const double difference = (loss_at(step) - loss_at(-step)) / (2 * step);
    std::ranges::copy(origin, weight.data);
    return difference;
  }

  const bool plain_ = std::get<PassKind>(GetParam()) == PassKind::plain;
  const ModelConfig config_ = small_config(std::get<ModelClass>(GetParam()));
  const int64_t n_ = config_.num_codebooks, rows_ = plain_ ? kSequences * kLength : kSequences;
  Transformer model_{config_, {kSequences, kLength, 0, true}};
  std::vector<int32_t> codes_ = random_codes(kSequences * kLength * n_, config_.vocab_size, 4);
  std::vector<int32_t> targets_ = random_codes(kSequences * kLength * n_, config_.vocab_size, 5);
  std::vector<float> cond_ = std::vector<float>(static_cast<size_t>(rows_ * config_.cond_size()));
  const Batch batch_{{codes_.data(), {kSequences, kLength, n_}},
                     {cond_.data(), {rows_, config_.cond_size()}}};
  PassOptions options_;
};

double norm(const std::vector<double>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

std::vector<double> unit(std::vector<double> values) {
  const double length = norm(values);
  for (double& value : values) value /= length;
  return values;
}

/// A direction with a share in every element.
std::vector<double> random_direction(size_t size, std::mt19937_64& engine) {
  std::normal_distribution<double> normal;
  std::vector<double> values(size);
  for (double& value : values) value = normal(engine);
  return unit(values);
}

// Along each parameter's own gradient the loss must rise by that gradient's norm. That alone would
// not see a gradient with parts missing, which is a direction of less rise and says so: along
// random directions the loss must rise by the gradient's part in them.
TEST_P(ModelGradient, AgreesWithFiniteDifferences) {
  backward();
  std::mt19937_64 engine(17);
  double most_used = 0;
  for (const Parameter& parameter : model_.table().entries()) {
    const Tensor weight = model_.weight(parameter.name);
    const Tensor view = model_.table().view(model_.gradients(), parameter.name);
    const std::vector<double> gradient(view.data, view.data + view.size());
    const double length = norm(gradient);
    ASSERT_GT(length, 1e-4) << parameter.name << " gets no gradient";
    // Float logits are off by some 3e-7, the mean loss of 160 codes by 1/√160 of that: 1.2e-5 over
    // 2·step. Third derivatives add step²-terms; the kinks of ReLUs that are crossed, step-terms.
    EXPECT_NEAR(slope(weight, unit(gradient), 0.001), length, 0.01 * length + 3e-5)
        << parameter.name;
    // The same, on the scale of a random direction's usual slope. The step moves every element by
    // some 0.0001, so that few kinks are crossed and the noise is small where gradients are.
    const double root = std::sqrt(static_cast<double>(gradient.size())), step = 0.0001 * root;
    const double limit = 0.05 * length / root + 1.2e-8 / step;
    for (int i = 0; i < 3; ++i) {
      const std::vector<double> direction = random_direction(gradient.size(), engine);
      const double expected =
          std::inner_product(direction.begin(), direction.end(), gradient.begin(), 0.0);
      const double error = std::abs(slope(weight, direction, step) - expected);
      EXPECT_LE(error, limit) << parameter.name;
      most_used = testing::worse(most_used, error / limit);
    }
  }
  std::printf("    along random directions at most %.0f %% of the limit used\n", 100 * most_used);
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
