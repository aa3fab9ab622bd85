// Delayed codebooks: what is learned is what is generated, whatever goes before.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/generation/generate.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/gather_sequences/gather_sequences.h"
#include "tests/double_loss.h"
#include "tests/expect_error.h"
#include "tests/sequences.h"
#include "tests/small_model.h"
#include "tests/worst.h"

namespace dsf {
namespace {

using testing::expect_error;

class CodebookDelay : public ::testing::Test {
 protected:
  CodebookDelay() : table_(config_), weights_(static_cast<size_t>(table_.size())) {
    table_.initialise(flat(), 3);
  }
  Tensor flat() { return {weights_.data(), {table_.size()}}; }

  /// Codes [T, B, N] of new frames.
  std::vector<int32_t> draw(int64_t frames, int64_t top_n, const std::vector<uint64_t>& seeds,
                            int64_t first_frame = 0, ConstIndexTensor prime = {}) {
    GenerationOptions options;
    options.sampling.top_n = top_n;
    options.seeds = seeds;
    options.first_frame = first_frame;
    const auto generator = make_generator(config_, table_, flat(), options, prime);
    EXPECT_EQ(generator->lookahead(), 3);
    std::vector<int32_t> codes;
    for (int64_t t = 0; t < frames; ++t) {
      const ConstIndexTensor frame = generator->next(cond_.data());
      codes.insert(codes.end(), frame.data, frame.data + frame.size());
    }
    return codes;
  }

  static ModelConfig delayed_model() {
    ModelConfig config = testing::small_model();
    config.codebook_delay = 1;
    return config;
  }

  const ModelConfig config_ = delayed_model();
  const std::vector<float> cond_ = {1, 0, 0.3F};
  ParameterTable table_;
  std::vector<float> weights_;
};

/// Inputs and targets [1, T, N] of a sequence of frames [T, N].
struct Delayed {
  Delayed(std::vector<int32_t> frames, const ModelConfig& config)
      : inputs(frames.size()), targets(frames.size()) {
    const int64_t n = config.num_codebooks, length = static_cast<int64_t>(frames.size()) / n;
    const Shape shape{1, length, n};
    const int32_t zero = 0;
    float cond = 0;
    gather_sequences(Context{}, {inputs.data(), shape}, {targets.data(), shape}, {&cond, {1, 1}},
                     {frames.data(), {length, n}}, {&cond, {1, 1}}, {&zero, {1}}, {&zero, {1}},
                     length, static_cast<int32_t>(config.vocab_size), config.codebook_delay);
  }
  std::vector<int32_t> inputs, targets;
};

/// A conditioning of its own for every frame.
std::vector<float> moving(int64_t frames) {
  std::vector<float> rows;
  for (int64_t t = 0; t < frames; ++t) {
    const float x = static_cast<float>(t) / static_cast<float>(frames);
    rows.insert(rows.end(), {1 - x, x, 2 * x});
  }
  return rows;
}

// Place p of the forward is what is drawn with the frame 3 places before, under its conditioning.
TEST_F(CodebookDelay, CodesAreDrawnFromTheLogitsOfTheTrainingForward) {
  constexpr int64_t kFrames = 40, kLag = 3;
  const int64_t n = config_.num_codebooks, v = config_.vocab_size;
  const std::vector<float> conditions = moving(kFrames);
  GenerationOptions options;
  options.sampling.top_n = v;
  options.seeds = {4};
  const auto generator = make_generator(config_, table_, flat(), options);
  std::vector<int32_t> codes;
  std::vector<float> drawn_from;
  for (int64_t t = 0; t < kFrames; ++t) {
    const ConstIndexTensor frame = generator->next(conditions.data() + t * 3);
    codes.insert(codes.end(), frame.data, frame.data + n);
    const ConstTensor logits = generator->logits();
    drawn_from.insert(drawn_from.end(), logits.data, logits.data + n * v);
  }
  const Delayed sequence(codes, config_);
  std::vector<float> by_place;
  for (int64_t p = 0; p < kFrames; ++p) {
    const auto row = conditions.begin() + std::max<int64_t>(p - kLag, 0) * 3;
    by_place.insert(by_place.end(), row, row + 3);
  }
  Transformer model(config_, {1, kFrames, kFrames, false});
  std::ranges::copy(weights_, model.weights().data);
  const Tensor logits = model.forward(
      Context{}, {{sequence.inputs.data(), {1, kFrames, n}}, {by_place.data(), {kFrames, 3}}});
  const auto worst_at = [&](int64_t lag) {
    double worst = 0;
    for (int64_t i = 0; i < (kFrames - kLag - 1) * n * v; ++i) {
      const float difference = drawn_from[static_cast<size_t>(i)] - logits[i + lag * n * v];
      worst = testing::worse(worst, std::abs(difference));
    }
    return worst;
  };
  std::printf("    logits differ by %.1e at most\n", worst_at(kLag));
  EXPECT_LE(worst_at(kLag), 1e-5);
  EXPECT_GE(worst_at(kLag - 1), 0.1) << "other places have others";
  EXPECT_GE(worst_at(kLag + 1), 0.1);
  for (int64_t i = 0; i < kFrames * n; ++i) {
    EXPECT_EQ(sequence.targets[static_cast<size_t>(i)] == kNoTarget, i / n < i % n) << i;
  }
}

// A frame is drawn under its own conditioning, as far as its first code goes.
TEST_F(CodebookDelay, GenerationLooksAheadInTheConditioning) {
  for (const int64_t frames : {1, 2, 3, 20}) {
    Conditioning conditioning;
    conditioning.frames = frames;
    conditioning.size = 3;
    conditioning.values = moving(frames);
    GenerationOptions options;
    options.seeds = {4};
    TrainedModel model{{config_, {"a", "b"}, {"c"}, 0, 0, 0}, table_, weights_};
    const std::vector<DacFile> files = generate(
        Context{}, model, conditioning, options, {}, {}, [](int64_t) {}, false);
    const auto generator = make_generator(config_, table_, flat(), options);
    for (int64_t t = 0; t < frames; ++t) {
      const int64_t ahead = t + 3 < frames ? t + 3 : frames - 1;
      const ConstIndexTensor codes = generator->next(conditioning.values.data() + ahead * 3);
      for (int64_t n = 0; n < config_.num_codebooks; ++n) {
        EXPECT_EQ(files[0].codes[static_cast<size_t>(n * frames + t)], codes[n]) << t;
      }
    }
  }
}

TEST_F(CodebookDelay, GoingOnIsTheUninterruptedRun) {
  constexpr int64_t kFrames = 30;
  const int64_t n = config_.num_codebooks;
  for (const int64_t top_n : {int64_t{1}, config_.vocab_size}) {
    const std::vector<int32_t> whole = draw(kFrames, top_n, {8, 9});
    for (const int64_t known : {1, 2, 3, 4, 13}) {  // fewer than the codebooks lag, and more
      std::vector<int32_t> prime;                   // [B, P, N]
      for (int64_t b = 0; b < 2; ++b) {
        for (int64_t t = 0; t < known; ++t) {
          const auto frame = whole.begin() + (t * 2 + b) * n;
          prime.insert(prime.end(), frame, frame + n);
        }
      }
      const std::vector<int32_t> rest =
          draw(kFrames - known, top_n, {8, 9}, known, {prime.data(), {2, known, n}});
      EXPECT_TRUE(
          std::ranges::equal(rest, std::span(whole).subspan(static_cast<size_t>(known * 2 * n))))
          << "top " << top_n << ", " << known << " frames known";
    }
  }
}

// A frame can depend on so many before it as --prime FILE collects (engine/generation/prime.cpp).
TEST_F(CodebookDelay, NothingBeforeTheModelsReachMatters) {
  const int64_t n = config_.num_codebooks;
  const int64_t reach = config_.num_layers * config_.lookback + 1 + config_.codebook_lag();
  const std::vector<int32_t> whole = draw(reach + 20, 1, {5});
  const auto logits_after = [&](int64_t known) {
    const int64_t begin = (reach + 10 - known) * n;
    const auto generator =
        make_generator(config_, table_, flat(), {}, {whole.data() + begin, {known, n}});
    generator->next(cond_.data());
    const ConstTensor logits = generator->logits();
    return std::vector<float>(logits.data, logits.data + logits.size());
  };
  const std::vector<float> expected = logits_after(reach + 10);
  const auto difference = [&](int64_t known) {
    const std::vector<float> logits = logits_after(known);
    double worst = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      worst = testing::worse(worst, std::abs(logits[i] - expected[i]));
    }
    return worst;
  };
  EXPECT_LE(difference(reach), 1e-5);  // positions are others
  EXPECT_GE(difference(reach - config_.codebook_lag() - 1), 1e-4);
}

TEST(CrossEntropyTargets, AreCountedAndLookedAt) {
  std::vector<float> logits(3 * 5, 0.5F), losses(3, 7.0F);
  float loss = 7;
  const auto run = [&](std::vector<int32_t> targets, int64_t counted) {
    cross_entropy_forward(Context{}, {&loss, {1}}, {losses.data(), {3}}, {logits.data(), {3, 5}},
                          {targets.data(), {3}}, counted);
  };
  expect_error<Error>([&] { run({0, kNoTarget, 4}, 3); }, {"2 of 3 targets, expected 3"});
  expect_error<Error>([&] { run({0, 5, 4}, 3); }, {"target 5 in row 1"});
  expect_error<Error>([&] { run({0, -2, 4}, 3); }, {"target -2 in row 1"});
  expect_error<Error>([&] { run({0, 1, 4}, 0); }, {"0 of 3 targets count"});
  EXPECT_EQ(loss, 7.0F) << "nothing was written";
  run({0, kNoTarget, 4}, 2);
  EXPECT_NEAR(loss, std::log(5.0), 1e-6);
}

TEST_F(CodebookDelay, TheLossIsTheMeanOverTheCodesThatAreThere) {
  Learner learner(config_, 2, 0.001F, 3);
  const int64_t frames = config_.max_length + 1, n = config_.num_codebooks;
  std::vector<int32_t> codes(static_cast<size_t>(2 * frames * n));
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int32_t>((i * 7 + i / 5) % 64);
  const testing::MadeSequences sequences({2, frames, n}, codes, {1, 0, 0.3F, 0, 1, 0.6F});
  const float loss = learner.evaluate(sequences.all());

  Transformer model(config_, {1, frames, 1, false});
  std::ranges::copy(std::span(learner.model().weights().data, weights_.size()),
                    model.weights().data);
  double sum = 0;
  int64_t counted = 0;
  for (int64_t b = 0; b < 2; ++b) {
    const auto begin = codes.begin() + b * frames * n;
    const Delayed sequence({begin, begin + frames * n}, config_);
    const std::vector<float> cond =
        b == 0 ? std::vector<float>{1, 0, 0.3F} : std::vector<float>{0, 1, 0.6F};
    const Tensor logits =
        model.forward(Context{}, {{sequence.inputs.data(), {1, frames, n}}, {cond.data(), {1, 3}}});
    for (int64_t i = 0; i < frames * n; ++i) {
      const int32_t target = sequence.targets[static_cast<size_t>(i)];
      if (target == kNoTarget) continue;
      const int64_t v = config_.vocab_size;
      sum += testing::double_loss({logits.data + i * v, {1, v}}, {target}, v);
      ++counted;
    }
  }
  EXPECT_EQ(counted, 2 * (frames * n - 6));
  EXPECT_NEAR(loss, sum / static_cast<double>(counted), 1e-5);
  EXPECT_NEAR(learner.train(sequences.all()).loss, sum / static_cast<double>(counted), 1e-5);
  EXPECT_LT(learner.evaluate(sequences.all()), loss);
}

TEST(CodebookDelayConfig, OnlyOurClassHasIt) {
  ModelConfig config = testing::small_model();
  const auto check = [&] { check_model_config(config, "x"); };
  config.codebook_delay = 1;
  config.max_length = 3;
  check();
  config.max_length = 2;
  expect_error<UsageError>(check, {"Tt is 2", "num_tokens - 1 = 3"});
  config.max_length = 20;
  config.codebook_delay = 2;
  expect_error<UsageError>(check, {"codebook_delay is 2, it must be 0 or 1"});
  config.codebook_delay = 1;
  config.model_class = ModelClass::rope_film;
  expect_error<UsageError>(check, {"codebook_delay is 1", "RopeCondDACTransformer", "must be 0"});
}

}  // namespace
}  // namespace dsf
