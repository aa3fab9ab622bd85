// What a GPU does ahead of the host: frames and training steps that are queued, and what is saved
// of them, beside the CPU, which does one after the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "engine/generation/generator.h"
#include "engine/training/checkpoint.h"
#include "engine/training/trainer.h"
#include "kernels/common/device_memory.h"
#include "tests/cuda/orders.h"
#include "tests/small_model.h"

namespace dsf::testing {
namespace {

namespace fs = std::filesystem;

Context gpu() {
  static void* const stream = cuda::create_stream();
  return {Device::cuda, stream};
}

const std::vector<uint64_t> kNineStreams = {3, 4, 5, 6, uint64_t{1} << 60, 8, 9, 10, 11};

/// The codes of `frames` frames of streams with these seeds, whose ops are queued one by one, that
/// go on from a prime, under a condition that changes with every frame; as many frames are queued
/// as may be.
std::vector<int32_t> generate(const ModelConfig& config, const Context& ctx, int64_t frames,
                              const std::vector<uint64_t>& seeds = kNineStreams) {
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 9);
  GenerationOptions options;
  options.seeds = seeds;
  options.composed = true;
  options.first_frame = 100;
  const std::vector<int32_t> prime = random_prime(config, {77});
  const auto generator =
      make_cached_generator(config, table, {weights.data(), {table.size()}}, options,
                            {prime.data(), {config.lookback, config.num_codebooks}}, ctx);
  std::vector<int32_t> codes;
  int64_t pending = 0;
  for (int64_t frame = 0; frame < frames; ++frame) {
    std::vector<float> cond(static_cast<size_t>(config.cond_size()),
                            static_cast<float>(frame % 5) / 4);
    generator->draw(cond.data());
    std::ranges::fill(cond, -1.0F);  // what was drawn does not read it later
    if (++pending < generator->capacity() && frame + 1 < frames) continue;
    const ConstIndexTensor drawn = generator->fetch();
    EXPECT_EQ(drawn.dim(0), pending);
    codes.insert(codes.end(), drawn.data, drawn.data + drawn.size());
    pending = 0;
  }
  return codes;
}

TEST(CudaQueue, FramesOfManyStreamsAreTheCpus) {
  const ModelConfig config = stored_model();
  constexpr int64_t kFrames = 75;  // more than twice the queue
  const std::vector<int32_t> expected = generate(config, Context{}, kFrames);
  EXPECT_EQ(expected.size(), static_cast<size_t>(kFrames * 9 * config.num_codebooks));
  EXPECT_EQ(generate(config, gpu(), kFrames), expected);
  // Fewer, as the simulation takes its time for them: still more than the queue.
  const std::vector<int32_t> few = generate(config, Context{}, 40, {3, 4});
  in_other_orders([&](int order) {
    EXPECT_EQ(generate(config, gpu(), 40, {3, 4}), few) << "order " << order;
  });
}

TEST(CudaQueue, FramesOfDelayedCodebooksAreTheCpus) {
  ModelConfig config = stored_model();
  config.num_codebooks = 4;
  config.codebook_delay = 1;
  constexpr int64_t kFrames = 40;  // more than the queue
  EXPECT_EQ(generate(config, gpu(), kFrames, {3, 4}), generate(config, Context{}, kFrames, {3, 4}));
  const std::vector<int32_t> few = generate(config, Context{}, 10, {3, 4});
  in_other_orders([&](int order) {
    EXPECT_EQ(generate(config, gpu(), 10, {3, 4}), few) << "order " << order;
  });
}

/// Files of two lengths, to be cropped.
Dataset random_data(const ModelConfig& config, int64_t files) {
  Dataset data;
  data.files = files;
  data.frames = config.max_length + 1;
  data.codebooks = config.num_codebooks;
  data.begins = {0};
  for (int64_t file = 0; file < files; ++file) {
    data.begins.push_back(data.begins.back() + data.frames + file % 2 * 5);
    for (int64_t c = 0; c < config.cond_size(); ++c) {
      data.cond.push_back(static_cast<float>((file + c) % 3) / 2);
    }
  }
  for (int64_t i = 0; i < data.begins.back() * data.codebooks; ++i) {
    const uint32_t word = random_words({8, 1, 0}, static_cast<uint64_t>(i))[0];
    data.tokens.push_back(static_cast<int32_t>(word % static_cast<uint32_t>(config.vocab_size)));
  }
  return data;
}

/// Small, as a ReLU's sum within rounding of 0 may count on one device alone, and Adam's step is of
/// the rate's size however small a gradient is.
constexpr float kRate = 5e-4F;

LearnerOptions small_batches() {
  LearnerOptions options;
  options.batch_size = 2;
  options.batches_per_step = 2;
  options.learning_rate = kRate;
  return options;
}

struct Epochs {
  std::vector<float> losses;  // of every step, then of the validation
  std::vector<int64_t> files;
};

Epochs train(Learner& learner, const Dataset& data, int64_t first, int64_t last) {
  Trainer trainer(learner, data, data, {kRate});
  const std::atomic<bool> stop{false};
  Epochs epochs;
  for (int64_t epoch = first; epoch <= last; ++epoch) {
    trainer.train_epoch(
        epoch,
        [&](int64_t files, float loss) {
          epochs.files.push_back(files);
          epochs.losses.push_back(loss);
        },
        stop);
    epochs.losses.push_back(*trainer.validate(epoch));
  }
  return epochs;
}

TEST(CudaQueue, EpochsAreTheCpus) {
  const ModelConfig config = stored_model();
  const Dataset data = random_data(config, 11);  // steps of 2 + 2, 2 + 2 and 2 + 1 files
  Learner on_cpu(config, small_batches(), 4), on_gpu(config, small_batches(), 4, gpu());
  const Epochs expected = train(on_cpu, data, 1, 2), epochs = train(on_gpu, data, 1, 2);
  EXPECT_EQ(epochs.files, expected.files);
  EXPECT_EQ(epochs.files, (std::vector<int64_t>{4, 8, 11, 4, 8, 11}));
  ASSERT_EQ(epochs.losses.size(), expected.losses.size());
  for (size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_NEAR(epochs.losses[i], expected.losses[i], 2e-5F * expected.losses[i]) << i;
  }
}

TEST(CudaQueue, AResumedRunIsTheUninterruptedOne) {
  const ModelConfig config = stored_model();
  const Dataset data = random_data(config, 7);
  CheckpointInfo info;
  info.config = config;
  info.class_names = {"a", "b", "c"};
  info.parameter_names = {"rate"};
  info.seed = 4;
  const fs::path path = fs::path(::testing::TempDir()) / "dsf_cuda_resume.safetensors";
  Learner whole(config, small_batches(), 4, gpu());
  train(whole, data, 1, 1);
  info.step = whole.step();
  write_checkpoint(path, whole, info);
  const Epochs expected = train(whole, data, 2, 2);

  Learner resumed(config, small_batches(), 4, gpu());
  resume(path, info, resumed);
  fs::remove(path);
  EXPECT_EQ(resumed.step(), info.step);
  EXPECT_EQ(train(resumed, data, 2, 2).losses, expected.losses);
  const HostValues ours(gpu(), resumed.model().weights()), theirs(gpu(), whole.model().weights());
  EXPECT_TRUE(std::equal(ours.data(), ours.data() + ours.view().size(), theirs.data()));
}

}  // namespace
}  // namespace dsf::testing
