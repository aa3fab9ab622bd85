// Many training steps on the GPU that is linked into the program beside the CPU's: the losses of
// all steps. A table of them goes to standard output, for scripts/gpu_check.sh.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "kernels/common/device_memory.h"
#include "tests/cuda/orders.h"
#include "tests/small_model.h"
#include "tests/worst.h"

namespace dsf::testing {
namespace {

Context gpu(Precision precision) {
  static void* const stream = cuda::create_stream();
  return {Device::cuda, stream, precision};
}

/// What is learned: the model of configs/params_sm.yaml at its size, in 200 steps; on the simulated
/// GPU less.
struct Lesson {
  ModelConfig config;
  int64_t batch = 2;
  int steps = 10;
};

Lesson make_lesson() {
  if (simulated()) return {stored_model()};
  Lesson lesson{small_model(), 4, 200};
  lesson.config.embed_size = 32;
  lesson.config.lookback = 86;
  lesson.config.max_length = 430;
  lesson.config.vocab_size = 1024;
  lesson.config.dropout = 0.2F;
  return lesson;
}

/// Melodies of few codes, one in eight frames of which is noise: something to learn.
MadeSequences melodies(const Lesson& lesson, const Context& ctx) {
  const ModelConfig& config = lesson.config;
  const Shape shape{lesson.batch, config.max_length + 1, config.num_codebooks};
  const auto codes = static_cast<uint32_t>(config.vocab_size);
  std::vector<int32_t> frames;
  for (int64_t i = 0; i < shape.size(); ++i) {
    const int64_t n = i % shape[2], t = i / shape[2] % shape[1], file = i / (shape[1] * shape[2]);
    const auto words = random_words({7, 5, 0}, static_cast<uint64_t>(i));
    const auto note = static_cast<uint32_t>((t * (file + 1) / 3 + 5 * n) % 16);
    frames.push_back(static_cast<int32_t>((words[0] % 8 == 0 ? words[1] : note * 61) % codes));
  }
  std::vector<float> cond;
  for (int64_t i = 0; i < lesson.batch * config.cond_size(); ++i) {
    cond.push_back(static_cast<float>(i % 3) / 2);
  }
  return {shape, frames, cond, ctx};
}

Learner make_learner(const Lesson& lesson, const Context& ctx) {
  return {lesson.config, lesson.batch, 2e-3F, 4, ctx};
}

using Losses = std::vector<double>;

/// The steps' losses; as many as may be are queued.
Losses learn(const Lesson& lesson, const Context& ctx) {
  Learner learner = make_learner(lesson, ctx);
  const MadeSequences sequences = melodies(lesson, ctx);
  const StepBatch batch{sequences.all()};
  Losses losses;
  int64_t queued = 0;
  for (int step = 1; step <= lesson.steps; ++step) {
    learner.queue_step({&batch, 1}, learner.options().learning_rate);
    if (++queued < learner.queue_capacity() && step < lesson.steps) continue;
    queued = 0;
    for (const StepResult& result : learner.finish_steps()) losses.push_back(result.loss);
  }
  return losses;
}

/// The losses on the CPU where every step reads weights that are off by up to `rounding` of
/// themselves: how far operands so rounded, as products of that precision have them, carry the
/// curve away.
Losses learn_with_rounded_weights(const Lesson& lesson, double rounding) {
  Learner learner = make_learner(lesson, Context{});
  const MadeSequences sequences = melodies(lesson, Context{});
  const Tensor weights = learner.model().weights();
  Losses losses;
  for (int step = 1; step <= lesson.steps; ++step) {
    std::vector<float> errors;
    for (int64_t i = 0; i < weights.size(); ++i) {
      const auto words =
          random_words({9, 9, static_cast<uint32_t>(step)}, static_cast<uint64_t>(i));
      const double error = rounding * (2.0 * to_unit(words[0]) - 1) * weights[i];
      const float exact = weights[i];
      weights[i] = static_cast<float>(exact + error);
      errors.push_back(weights[i] - exact);
    }
    losses.push_back(learner.train(sequences.all()).loss);
    for (int64_t i = 0; i < weights.size(); ++i) weights[i] -= errors[static_cast<size_t>(i)];
  }
  return losses;
}

/// The largest distance of two curves, of the first's height.
double distance(const Losses& expected, const Losses& losses) {
  EXPECT_EQ(losses.size(), expected.size());
  double worst = 0;
  for (size_t i = 0; i < std::min(losses.size(), expected.size()); ++i) {
    worst = worse(worst, std::abs(losses[i] - expected[i]) / expected[i]);
  }
  return worst;
}

TEST(CudaLossCurve, IsTheCpus) {
  // Not only weights are rounded, but the products' other operands and, in another order, sums. The
  // CPU's own curves with other instruction sets (another order of the sums) part by 0.6 to 1.1
  // times what so rounded weights do at the size of the 200 steps; how far is partly chance.
  constexpr double kFactor = 4;
  struct Row {
    Precision precision;
    double rounding;  // of a product's operands
  };
  const Lesson lesson = make_lesson();
  const Losses expected = learn(lesson, Context{});
  ASSERT_EQ(expected.size(), static_cast<size_t>(lesson.steps));
  EXPECT_LT(expected.back(), 0.9 * expected.front()) << "something is learned";
  std::vector<Losses> curves;
  for (const Row& row : {Row{Precision::fp32, 0x1p-24}, Row{Precision::tf32, 0x1p-11},
                         Row{Precision::bf16, 0x1p-8}}) {
    curves.push_back(learn(lesson, gpu(row.precision)));
    const double worst = distance(expected, curves.back());
    const double limit =
        kFactor * distance(expected, learn_with_rounded_weights(lesson, row.rounding));
    std::printf("    %s: losses differ by %.1e at most, limit %.1e\n",
                std::string(name_of(row.precision)).c_str(), worst, limit);
    EXPECT_LE(worst, limit) << name_of(row.precision);
  }
  std::printf("| step | CPU | GPU fp32 | tf32 | bf16 |\n|---|---|---|---|---|\n");
  for (size_t i = 0; i < expected.size(); ++i) {
    if (i % 20 != 0 && i + 1 != expected.size()) continue;
    std::printf("| %zu | %.5f | %.5f | %.5f | %.5f |\n", i + 1, expected[i], curves[0][i],
                curves[1][i], curves[2][i]);
  }
}

}  // namespace
}  // namespace dsf::testing
