// One optimizer step: clipping, decay, warm-up and accumulation against what they stand for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/training/trainer.h"
#include "kernels/adam/adam.h"
#include "kernels/common/random.h"
#include "tests/small_model.h"

namespace dsf {
namespace {

constexpr float kRate = 0.01F;

ModelConfig tiny_model(ModelClass model_class, float dropout) {
  ModelConfig config = testing::small_model(model_class);
  config.lookback = 6;
  config.max_length = 12;
  config.vocab_size = 32;
  config.dropout = dropout;
  return config;
}

Dataset random_data(const ModelConfig& config, int64_t files, uint64_t seed = 5) {
  Dataset data;
  data.files = files;
  data.frames = config.max_length + 1;
  data.codebooks = config.num_codebooks;
  for (int64_t i = 0; i < files * data.frames * data.codebooks; ++i) {
    const uint32_t word = random_words({seed, 1, 0}, static_cast<uint64_t>(i))[0];
    data.tokens.push_back(static_cast<int32_t>(word % static_cast<uint32_t>(config.vocab_size)));
  }
  data.begins = {0};
  for (int64_t i = 0; i < files; ++i) {
    data.begins.push_back(data.begins.back() + data.frames);
    const bool first = i % 2 == 0;
    data.cond.insert(data.cond.end(), {first ? 1.0F : 0.0F, first ? 0.0F : 1.0F, 0.5F});
  }
  return data;
}

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> files;
  for (int64_t i = begin; i < end; ++i) files.push_back(i);
  return files;
}

TEST(LearnerMemory, IsKnownBeforeThereIsAny) {
  for (const ModelClass model_class : kModelClasses) {
    const ModelConfig config = tiny_model(model_class, 0);
    LearnerOptions options;
    for (const int64_t batches : {1, 3}) {
      options.batch_size = 2 * batches;
      options.batches_per_step = batches;
      EXPECT_EQ(Learner::bytes_needed(config, options), Learner(config, options, 1).bytes());
    }
    options.batch_size = int64_t{1} << 40;
    EXPECT_GT(Learner::bytes_needed(config, options), int64_t{1} << 50);
  }
}

TEST(LearnerMemory, TheEndOfItIsAnErrorWithWhatIsNeeded) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: the sanitizer ends a program that asks for so much";
#endif
  LearnerOptions options;
  options.batch_size = int64_t{1} << 40;
  const ModelConfig config = tiny_model(ModelClass::streaming, 0);
  try {
    Learner(config, options, 1);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const auto needed = static_cast<double>(Learner::bytes_needed(config, options));
    EXPECT_NE(std::string(error.what()).find(fmt::format("needs {:.1f} MB", needed / 1e6)),
              std::string::npos)
        << error.what();
  }
}

std::vector<float> copy(ConstTensor tensor) {
  return {tensor.data, tensor.data + tensor.size()};
}

double relative_error(ConstTensor ours, ConstTensor expected) {
  double difference = 0, scale = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double d = static_cast<double>(ours[i]) - expected[i];
    difference += d * d;
    scale += static_cast<double>(expected[i]) * expected[i];
  }
  return std::sqrt(difference / scale);
}

LearnerOptions plain(int64_t batch_size) {
  LearnerOptions options;
  options.batch_size = batch_size;
  options.learning_rate = kRate;
  return options;
}

StepResult step(Learner& learner, std::span<const StepBatch> batches) {
  learner.queue_step(batches, kRate);
  return learner.finish_steps().back();
}

class LearnerTest : public ::testing::TestWithParam<ModelClass> {
 protected:
  const ModelConfig config_ = tiny_model(GetParam(), 0);
  const Dataset data_ = random_data(config_, 6);
  SequenceSource source_{Context{}, data_};
  const Sequences all_ = source_.choose(range(0, 6));
};

INSTANTIATE_TEST_SUITE_P(Classes, LearnerTest,
                         ::testing::Values(ModelClass::streaming, ModelClass::rope_concat),
                         [](const auto& test) {
                           return std::string(model_class_name(test.param));
                         });

TEST_P(LearnerTest, ClippingEqualsScalingTheGradientByHand) {
  Learner reference(config_, plain(6), 1);
  const std::vector<float> before = copy(reference.model().weights());
  const StepResult result = reference.train(all_);
  LearnerOptions options = plain(6);
  options.clip_norm = 0.25F * result.gradient_norm;
  Learner clipped(config_, options, 1);
  EXPECT_EQ(clipped.train(all_).gradient_norm, result.gradient_norm);

  std::vector<float> weights = before, gradient = copy(reference.model().gradients());
  const float factor = *options.clip_norm / (result.gradient_norm + 1e-6F);
  for (float& value : gradient) value *= factor;
  std::vector<float> first(gradient.size()), second(gradient.size());
  const Shape shape{static_cast<int64_t>(gradient.size())};
  adam_step(Context{}, {weights.data(), shape}, {first.data(), shape}, {second.data(), shape},
            {gradient.data(), shape}, {}, {}, {kRate}, 1);
  EXPECT_EQ(copy(clipped.model().weights()), weights);
  EXPECT_EQ(copy(clipped.first_moments()), first);
  EXPECT_EQ(copy(clipped.second_moments()), second);
  EXPECT_NE(copy(reference.first_moments()), first);

  options.clip_norm = 1.01F * result.gradient_norm;
  Learner unclipped(config_, options, 1);
  unclipped.train(all_);
  EXPECT_EQ(copy(unclipped.model().weights()), copy(reference.model().weights()));
}

TEST_P(LearnerTest, AllWeightsDecay) {
  LearnerOptions options = plain(6);
  options.weight_decay = 0.5F;
  Learner decaying(config_, options, 1), reference(config_, plain(6), 1);
  // Biases begin at zero, where decay would not show.
  for (Learner* learner : {&decaying, &reference}) {
    for (int64_t i = 0; i < learner->model().weights().size(); ++i) {
      learner->model().weights()[i] += 0.1F;
    }
  }
  const std::vector<float> before = copy(reference.model().weights());
  ASSERT_TRUE(decaying.train(all_).finite());
  ASSERT_TRUE(reference.train(all_).finite());
  for (size_t i = 0; i < before.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    // Both weights and the factor are rounded at 2^-24 of themselves, and so is a step of 0.01.
    ASSERT_NEAR(reference.model().weights()[at] - decaying.model().weights()[at],
                kRate * 0.5F * before[i], 2e-7 * (0.01F + std::abs(before[i])))
        << i;
  }
  EXPECT_EQ(copy(decaying.first_moments()), copy(reference.first_moments())) << "not through g";
}

// The rates are those of the run's steps, whatever step the optimizer is at.
TEST_P(LearnerTest, TheRateFollowsTheRun) {
  const Dataset data = random_data(config_, 2), none;  // one step in an epoch
  const std::atomic<bool> stop{false};
  const LearningRate rate{kRate, LearningRateSchedule::cosine, 2, 0, 6};
  Learner scheduled(config_, plain(2), 1), by_hand(config_, plain(2), 1);
  for (Learner* learner : {&scheduled, &by_hand}) learner->set_step(500);
  Trainer trainer(scheduled, data, none, rate);
  for (int64_t epoch = 1; epoch <= 4; ++epoch) {
    trainer.train_epoch(
        epoch, [](int64_t, float) {}, stop);
    EXPECT_EQ(trainer.learning_rate(epoch), rate.at(epoch));
    const auto before = copy(by_hand.model().weights());
    Trainer one(by_hand, data, none, {rate.at(epoch)});
    one.train_epoch(
        epoch, [](int64_t, float) {}, stop);
    EXPECT_EQ(copy(scheduled.model().weights()), copy(by_hand.model().weights())) << epoch;
    EXPECT_NE(copy(by_hand.model().weights()), before);
  }
  EXPECT_EQ(scheduled.step(), 504);
}

TEST_P(LearnerTest, AccumulatedBatchesEqualOneLargerBatch) {
  Learner whole(config_, plain(6), 1);
  const StepResult expected = whole.train(all_);
  LearnerOptions options = plain(3);
  options.batches_per_step = 3;
  Learner parts(config_, options, 1);
  const StepBatch batches[] = {
      {all_.part(0, 3), 3.0F / 6}, {all_.part(3, 2), 2.0F / 6}, {all_.part(5, 1), 1.0F / 6}};
  const StepResult result = step(parts, batches);
  EXPECT_EQ(parts.step(), 1);
  EXPECT_NEAR(result.loss, expected.loss, 2e-7 * expected.loss) << "three roundings";
  // After one step the first moment is a tenth of the gradient. Its sums over positions run in
  // another order: some 78 terms, whose roundings of 2^-24 add like a random walk, times 2 for the
  // terms that cancel.
  const double error = relative_error(parts.first_moments(), whole.first_moments());
  std::printf("    gradient of 3 + 2 + 1 against 6 sequences: error %.1e, limit 1.1e-06\n", error);
  EXPECT_LT(error, 1.1e-6);
  EXPECT_GT(error, 0) << "these are different computations";
}

TEST_P(LearnerTest, AnEpochOfAccumulatedBatchesEqualsOneOfLargerBatches) {
  const Dataset data = random_data(config_, 11), none;
  const std::atomic<bool> stop{false};
  const auto losses = [&](int64_t batch_size, int64_t batches) {
    LearnerOptions options = plain(batch_size);
    options.batches_per_step = batches;
    Learner learner(config_, options, 1);
    Trainer trainer(learner, data, none, {kRate});
    std::vector<std::pair<int64_t, float>> steps;
    for (int64_t epoch = 1; epoch <= 2; ++epoch) {
      trainer.train_epoch(
          epoch, [&](int64_t files, float loss) { steps.emplace_back(files, loss); }, stop);
    }
    EXPECT_EQ(learner.step(), 2 * trainer.steps_per_epoch());
    return steps;
  };
  const auto whole = losses(4, 1), parts = losses(2, 2), odd = losses(3, 2);
  ASSERT_EQ(whole.size(), 6U);  // 4 + 4 + 3 files, twice
  ASSERT_EQ(parts.size(), 6U);
  ASSERT_EQ(odd.size(), 4U);  // (3 + 3) + (3 + 2)
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(parts[i].first, whole[i].first);
    // Where a gradient is rounding noise, Adam takes a full step along its sign; such weights
    // hardly matter to the loss.
    EXPECT_NEAR(parts[i].second, whole[i].second, 1e-4) << i;
  }
  EXPECT_GT(std::abs(whole[4].second - whole[1].second), 0.01) << "it learns";
}

TEST_P(LearnerTest, BatchesOfAStepDrawDifferentDropout) {
  const ModelConfig config = tiny_model(GetParam(), 0.5F);
  Learner one(config, plain(6), 1);
  LearnerOptions options = plain(6);
  options.batches_per_step = 2;
  Learner twice(config, options, 1);
  const StepBatch batches[] = {{all_, 0.5F}, {all_, 0.5F}};
  EXPECT_GT(std::abs(step(twice, batches).loss - one.train(all_).loss), 1e-3F);
}

TEST_P(LearnerTest, ABrokenStepIsNotTakenAndLeavesNothingBehind) {
  LearnerOptions options = plain(3);
  options.batches_per_step = 2;
  Learner learner(config_, options, 1), reference(config_, options, 1);
  const float good = learner.model().weights()[0];
  learner.model().weights()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(learner.train(all_.part(0, 3)).finite());
  EXPECT_EQ(learner.step(), 0);
  learner.model().weights()[0] = good;
  for (Learner* each : {&learner, &reference}) {
    const StepBatch batches[] = {{all_.part(0, 3), 0.5F}, {all_.part(3, 3), 0.5F}};
    EXPECT_TRUE(step(*each, batches).finite());
  }
  EXPECT_EQ(copy(learner.model().weights()), copy(reference.model().weights()));
  EXPECT_THROW(learner.queue_step({}, kRate), Error) << "without batches";
}

TEST_P(LearnerTest, ALargerBatchThanItHasRoomForIsRefused) {
  Learner learner(config_, plain(3), 1);
  EXPECT_THROW(learner.train(all_.part(0, 4)), Error);
  EXPECT_THROW(learner.evaluate(all_.part(0, 4)), Error);
}

}  // namespace
}  // namespace dsf
