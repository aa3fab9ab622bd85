// What lets the host run ahead of the GPU: numbers of a step that lie in device memory, so that it
// is recorded once, and small copies that nobody waits for.
#include <array>

#include "engine/generation/generator.h"
#include "kernels/adam/factors.h"
#include "kernels/attention/attention.h"
#include "kernels/common/device_memory.h"
#include "kernels/dropout/dropout.h"
#include "kernels/step_record/step_record.h"
#include "tests/simt/device_array.h"
#include "tests/small_model.h"

namespace dsf::simt {
namespace {

using Values = std::vector<float>;

Context gpu() {
  static void* const stream = cuda::create_stream();
  return {Device::cuda, stream};
}

/// Work is done as late as it may be while this lives.
struct Late {
  Late() { set_late(true); }
  ~Late() { set_late(false); }
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;
};

Tensor view_of(const DeviceArray<float>& array, const Shape& shape) {
  return {array.data(), shape};
}

TEST(SimtQueuedNumbers, DropoutAddsTheStepInDeviceMemory) {
  const DeviceArray<int64_t> later(std::vector{int64_t{1} << 32 | 4});  // of which 32 bits count
  const DropoutStream whole{0.4F, {5, 6, 7}}, split{0.4F, {5, 6, 3}, later.data()};
  const Shape shape{3, 37, 8};
  const Values ones(static_cast<size_t>(shape.size()), 1.0F);
  const DeviceArray<float> x(ones), softmax(static_cast<size_t>(3 * 37 * 2 * 3));
  const auto run = [&](const DropoutStream& dropout) {
    const DeviceArray<float> y(ones.size()), mixed(ones.size());
    dropout_forward(gpu(), view_of(y, shape), view_of(x, shape), dropout);
    attention_forward(gpu(), view_of(mixed, shape), view_of(softmax, {3, 2, 37, 3}),
                      view_of(x, shape), view_of(x, shape), view_of(x, shape), 2, 9, dropout);
    return std::array{y.values(), mixed.values()};
  };
  EXPECT_EQ(run(split), run(whole));
  EXPECT_NE(run(split), run({0.4F, {5, 6, 3}}));
}

TEST(SimtQueuedNumbers, AdamTakesItsFactorsFromDeviceMemory) {
  const Values ones(11, 1.0F);
  const DeviceArray<float> g(ones), norm(Values{3});
  AdamSettings settings, others;
  settings.learning_rate = 0.25F;
  settings.weight_decay = 0.5F;
  settings.clip_norm = others.clip_norm = 2.0F;
  const auto run = [&](const AdamSettings& given, int64_t step) {
    const DeviceArray<float> w(ones), m(ones), v(ones);
    adam_step(gpu(), view_of(w, {11}), view_of(m, {11}), view_of(v, {11}), view_of(g, {11}),
              view_of(norm, {1}), {}, given, step);
    return std::array{w.values(), m.values(), v.values()};
  };
  const AdamFactors factors = adam_factors(settings, 3);
  const DeviceArray<float> placed(Values(&factors.decay1, &factors.decay1 + kAdamFactors));
  others.device_factors = view_of(placed, {kAdamFactors});
  EXPECT_EQ(run(others, 1), run(settings, 3));
  EXPECT_THROW(adam_step(Context{}, {}, {}, {}, {}, view_of(norm, {1}), {}, others, 1), Error)
      << "on the CPU";
}

TEST(SimtQueuedNumbers, RecordsGoWhereDeviceMemorySays) {
  const DeviceArray<int64_t> later(std::vector<int64_t>{2});
  const DeviceArray<float> records(Values(8, 0.0F)), guard(Values{1}), loss(Values{5}),
      norm(Values{6});
  step_record(gpu(), view_of(records, {4, 2}), view_of(guard, {1}), view_of(loss, {1}),
              view_of(norm, {1}), {1, later.data()});
  EXPECT_EQ(records.values(), (Values{0, 0, 0, 0, 0, 0, 5, 6}));
}

TEST(SimtQueuedNumbers, SmallCopiesAreReadAtOnceAndNotWaitedFor) {
  const Late late;
  for (const size_t words : {1, 255, 256, 257, 1024, 1025}) {
    std::vector<int> from = numbers<int>(words);
    const DeviceArray<int> to(words);
    const int64_t waits = host_calls().waits;
    cuda::copy_to_device(gpu(), to.data(), from.data(), words * sizeof(int));
    EXPECT_EQ(host_calls().waits - waits, words <= 1024 ? 0 : 1) << words;
    std::ranges::fill(from, -1);
    std::vector<int> values(words, -2);
    copy_to_host(gpu(), values.data(), to.data(), words * sizeof(int));
    EXPECT_EQ(values, numbers<int>(words));
  }
  // What no kernel can store word by word.
  const char letters[] = "abcdefg";
  const DeviceArray<char> to(8);
  cuda::copy_to_device(gpu(), to.data() + 1, letters, 7);
  char copy[7];
  copy_to_host(gpu(), copy, to.data() + 1, 7);
  EXPECT_EQ(std::string(copy, 7), letters);
}

TEST(SimtQueuedNumbers, AStepIsRecordedOnceForItsBatchesAndNotWaitedFor) {
  const Late late;
  const ModelConfig config = testing::stored_model();
  const Shape shape{4, config.max_length + 1, config.num_codebooks};
  const testing::MadeSequences sequences(shape, std::vector<int32_t>(size_t(shape.size()), 3),
                                         Values(size_t(4 * config.cond_size()), 0.5F), gpu());
  LearnerOptions options;
  options.batch_size = options.batches_per_step = 2;
  Learner learner(config, options, 4, gpu());
  const HostCalls before = host_calls();
  for (int64_t step = 0; step < 12; ++step) {
    // The same sizes, of other sequences; and an epoch's smaller last step.
    const Sequences first = sequences.all().part(step % 3, 2), second = sequences.all().part(3, 1);
    const StepBatch whole[] = {{first, 0.5F}, {sequences.all().part(0, 2), 0.5F}};
    const StepBatch last[] = {{first, 0.75F}, {second, 0.25F}};
    learner.queue_step(step % 4 == 3 ? last : whole, 1e-3F);
  }
  EXPECT_EQ(host_calls().recordings - before.recordings, 2);
  EXPECT_EQ(host_calls().waits - before.waits, 0);
  EXPECT_EQ(learner.finish_steps().size(), 12U);
  EXPECT_EQ(host_calls().waits - before.waits, 1);
}

TEST(SimtQueuedNumbers, FramesOfOtherConditionsAreNotWaitedFor) {
  const Late late;
  const ModelConfig config = testing::stored_model();
  const ParameterTable table(config);
  Values weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 9);
  const auto generator =
      make_cached_generator(config, table, {weights.data(), {table.size()}}, {}, {}, gpu());
  const HostCalls before = host_calls();
  for (int64_t frame = 0; frame < generator->capacity(); ++frame) {
    generator->draw(Values(size_t(config.cond_size()), static_cast<float>(frame)).data());
  }
  EXPECT_EQ(host_calls().recordings - before.recordings, 1);
  EXPECT_EQ(host_calls().waits - before.waits, 0);
  EXPECT_EQ(generator->fetch().dim(0), generator->capacity());
  EXPECT_EQ(host_calls().waits - before.waits, 1);
}

}  // namespace
}  // namespace dsf::simt
