// The engine on the GPU that is linked into the program, simulated or real, end to end: golden
// cases, training, generation, decoding. What is compared with the CPU is allowed the roundings of
// another order of the sums.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "engine/check/quantity.h"
#include "engine/generation/generator.h"
#include "engine/training/learner.h"
#include "kernels/common/device_memory.h"
#include "tests/cuda/orders.h"
#include "tests/model_classes.h"
#include "tests/sequences.h"
#include "tests/small_model.h"
#include "tests/worst.h"

namespace dsf::testing {
namespace {

namespace fs = std::filesystem;

Context gpu(Precision precision = Precision::fp32) {
  static void* const stream = cuda::create_stream();
  return {Device::cuda, stream, precision};
}

/// Golden cases; scripts/gpu_check.sh has them elsewhere than where this was built.
fs::path test_data() {
  const char* folder = std::getenv("DSF_TEST_DATA");
  return folder ? fs::path(folder) : fs::path(DSF_SOURCE_DIR) / "tests/data";
}

std::vector<Quantity> checked(const fs::path& directory, const Context& ctx) {
  std::vector<Quantity> quantities = check_case(ctx, directory);
  std::erase_if(quantities, [](const Quantity& quantity) { return !quantity.checked(); });
  return quantities;
}

/// Every quantity within its limit.
std::vector<Quantity> expect_within_limits_once(const fs::path& directory, size_t at_least,
                                                Precision precision) {
  std::vector<Quantity> quantities = checked(directory, gpu(precision));
  double most_used = 0;
  for (const Quantity& quantity : quantities) {
    EXPECT_TRUE(quantity.within()) << directory << ' ' << quantity.name << ": " << quantity.error
                                   << " above " << quantity.limit;
    if (quantity.limit > 0) {
      most_used = worse(most_used, quantity.error / quantity.limit);
    }
  }
  EXPECT_GE(quantities.size(), at_least);
  std::printf("    %s, %s: %zu quantities, at most %.0f %% of a limit used\n",
              directory.filename().c_str(), std::string(name_of(precision)).c_str(),
              quantities.size(), 100 * most_used);
  return quantities;
}

/// … and the same to the last bit in every schedule.
void expect_within_limits(const fs::path& directory, size_t at_least, Precision precision) {
  const auto quantities = expect_within_limits_once(directory, at_least, precision);
  in_other_orders([&](int order) {
    const std::vector<Quantity> again = checked(directory, gpu(precision));
    ASSERT_EQ(again.size(), quantities.size());
    for (size_t i = 0; i < again.size(); ++i) {
      EXPECT_EQ(again[i].error, quantities[i].error) << again[i].name << ", order " << order;
    }
  });
}

class CudaGolden : public ::testing::TestWithParam<ModelClass> {};

TEST_P(CudaGolden, TransformerCase) {
  const std::string name = fmt::format("{}_tiny", variant_name(GetParam()));
  expect_within_limits(test_data() / "transformer" / name, 36, Precision::fp32);
}

INSTANTIATE_TEST_SUITE_P(Classes, CudaGolden, ::testing::ValuesIn(upstream_classes()),
                         class_test_name);

TEST(CudaEngine, GoldenCaseInTensorCoresPrecisions) {
  // Gradients are one quantity there, and what a rounding can turn into another is none.
  const fs::path directory = test_data() / "transformer/rope_film_tiny";
  expect_within_limits_once(directory, 4, Precision::tf32);
  expect_within_limits_once(directory, 4, Precision::bf16);
}

TEST(CudaEngine, GoldenCodecCases) {
  expect_within_limits(test_data() / "dac/tiny", 5, Precision::fp32);
  expect_within_limits_once(test_data() / "dac/tiny_chunked", 1, Precision::fp32);
}

// In one order alone, as the simulation takes its time for them: the ops' cases have the others.
TEST(CudaEngine, GoldenCodecCasesInTensorCoresPrecisions) {
  expect_within_limits_once(test_data() / "dac/tiny", 5, Precision::tf32);
  expect_within_limits_once(test_data() / "dac/tiny", 5, Precision::bf16);
}

/// Random frames of two sequences, for a model's training.
MadeSequences lesson(const ModelConfig& config, const Context& ctx) {
  const Shape shape{2, config.max_length + 1, config.num_codebooks};
  std::vector<int32_t> frames;
  for (int64_t i = 0; i < shape.size(); ++i) {
    const uint32_t word = random_words({7, 5, 0}, static_cast<uint64_t>(i))[0];
    frames.push_back(static_cast<int32_t>(word % static_cast<uint32_t>(config.vocab_size)));
  }
  std::vector<float> cond;
  for (int64_t i = 0; i < 2 * config.cond_size(); ++i) {
    cond.push_back(static_cast<float>(i % 3) / 2);
  }
  return {shape, frames, cond, ctx};
}

struct Learned {
  std::vector<float> losses;
  std::vector<float> weights;
};

/// Five steps of falling rates and an evaluation; those after the first are of one recording, the
/// second to fourth queued together.
Learned learn(const ModelConfig& config, const Context& ctx) {
  LearnerOptions options;
  options.batch_size = 2;
  options.learning_rate = 5e-3F;
  options.clip_norm = 1;
  options.weight_decay = 0.01F;
  options.batches_per_step = 2;
  Learner learner(config, options, 4, ctx);
  const auto sequences = lesson(config, ctx);
  const StepBatch batches[] = {{sequences.all(), 0.75F}, {sequences.all().part(1, 1), 0.25F}};
  Learned learned;
  for (int step = 0; step < 5; ++step) {
    learner.queue_step(batches, options.learning_rate / static_cast<float>(1 + step % 3));
    if (step != 0 && step != 3 && step != 4 && ctx.device == Device::cuda) continue;
    for (const StepResult& result : learner.finish_steps()) learned.losses.push_back(result.loss);
  }
  learned.losses.push_back(learner.evaluate(sequences.all()));
  const HostValues weights(ctx, learner.model().weights());
  learned.weights.assign(weights.data(), weights.data() + weights.view().size());
  return learned;
}

TEST(CudaEngine, LearnsAsOnTheCpu) {
  const ModelConfig config = stored_model();  // with dropout
  const Learned expected = learn(config, Context{});
  const Learned learned = learn(config, gpu());
  ASSERT_EQ(learned.losses.size(), 6U);
  double worst = 0;
  for (size_t i = 0; i < 6; ++i) {
    worst = worse(worst, std::abs(learned.losses[i] - expected.losses[i]) / expected.losses[i]);
  }
  // Where a gradient is rounding noise Adam takes a full step along its sign; such weights hardly
  // matter to the loss.
  EXPECT_LE(worst, 2e-5);
  std::printf("    losses differ by %.1e at most\n", worst);
  EXPECT_LT(learned.losses.back(), 0.99F * learned.losses.front());
  in_other_orders([&](int order) {
    const Learned again = learn(config, gpu());
    EXPECT_EQ(again.losses, learned.losses) << "order " << order;
    EXPECT_EQ(again.weights, learned.weights) << "order " << order;
  });
}

TEST(CudaEngine, StepsBehindABrokenOneAreNotTaken) {
  const ModelConfig config = stored_model();
  const Context ctx = gpu();
  LearnerOptions options;
  options.batch_size = 2;
  options.learning_rate = 5e-3F;
  Learner learner(config, options, 4, ctx);
  const auto sequences = lesson(config, ctx);
  learner.train(sequences.all());
  const auto weights = [&] {
    const HostValues values(ctx, learner.model().weights());
    return std::vector<float>(values.data() + 1, values.data() + values.view().size());
  };
  const std::vector<float> before = weights();
  const float nan = std::nanf(""), good = HostValues(ctx, learner.model().weights()).view()[0];
  upload(ctx, learner.model().weights().slice(0, 1), &nan);
  const StepBatch batch{sequences.all()};
  for (int step = 0; step < 3; ++step) learner.queue_step({&batch, 1}, 1e-3F);
  const std::vector<StepResult> results = learner.finish_steps();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_FALSE(results[0].finite());
  EXPECT_EQ(learner.step(), 1);
  EXPECT_EQ(weights(), before);
  upload(ctx, learner.model().weights().slice(0, 1), &good);
  EXPECT_TRUE(learner.train(sequences.all()).finite());
  EXPECT_NE(weights(), before);
}

struct Take {
  std::vector<int32_t> codes;
  std::vector<float> logits;  // of the last frame
};

Take generate(const ModelConfig& config, const Context& ctx, int64_t frames,
              bool composed = false) {
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 9);
  GenerationOptions options;
  options.seeds = {3, 4};
  options.sampling.top_n = 20;
  options.composed = composed;
  const auto generator =
      make_generator(config, table, {weights.data(), {table.size()}}, options, {}, ctx);
  const std::vector<float> cond(static_cast<size_t>(config.cond_size()), 0.5F);
  Take take;
  int64_t queued = 0;
  for (int64_t frame = 0; frame < frames; ++frame) {
    generator->draw(cond.data());
    const int64_t at_once = frame < 4 ? 1 : 5;  // and one by one
    if (++queued < std::min(at_once, generator->capacity()) && frame + 1 < frames) continue;
    queued = 0;
    const ConstIndexTensor codes = generator->fetch();
    take.codes.insert(take.codes.end(), codes.data, codes.data + codes.size());
  }
  const HostValues logits(ctx, generator->logits());
  take.logits.assign(logits.data(), logits.data() + logits.view().size());
  return take;
}

void expect_the_codes_that_the_cpu_draws(const ModelConfig& config) {
  const int64_t frames = 2 * config.lookback + 3;  // the rings wrap twice
  const Take expected = generate(config, Context{}, frames);
  const Take take = generate(config, gpu(), frames);
  EXPECT_EQ(take.codes, expected.codes);
  EXPECT_LE(relative_error(take.logits, expected.logits), 1e-5) << "the golden cases' limit";
  EXPECT_EQ(generate(config, gpu(), frames, true).codes, expected.codes) << "op by op";
  in_other_orders([&](int order) {
    const Take again = generate(config, gpu(), frames);
    EXPECT_EQ(again.codes, take.codes) << "order " << order;
    EXPECT_EQ(again.logits, take.logits) << "order " << order;
  });
}

class CudaGeneration : public ::testing::TestWithParam<ModelClass> {};

TEST_P(CudaGeneration, DrawsTheCodesThatTheCpuDraws) {
  expect_the_codes_that_the_cpu_draws(stored_model(GetParam()));
}

TEST(CudaDelayedGeneration, DrawsThemToo) {
  ModelConfig config = stored_model(ModelClass::streaming);
  config.codebook_delay = 1;
  expect_the_codes_that_the_cpu_draws(config);
}

INSTANTIATE_TEST_SUITE_P(Classes, CudaGeneration,
                         ::testing::Values(ModelClass::streaming, ModelClass::rope_concat),
                         class_test_name);

}  // namespace
}  // namespace dsf::testing
