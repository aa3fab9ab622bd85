#include "engine/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

std::vector<int64_t> in_order(int64_t files) {
  std::vector<int64_t> order(static_cast<size_t>(files));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// The order of the files in an epoch (Fisher-Yates).
std::vector<int64_t> shuffled(int64_t files, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order = in_order(files);
  const RandomStream stream{seed, purpose_shuffle, static_cast<uint32_t>(epoch)};
  for (size_t i = order.size(); i > 1; --i) {
    const auto words = random_words(stream, i);
    const uint64_t word = (static_cast<uint64_t>(words[0]) << 32) | words[1];
    std::swap(order[i - 1], order[word % i]);
  }
  return order;
}

/// Of an epoch.
int64_t count_steps(int64_t files, const LearnerOptions& options) {
  const int64_t per_step = options.batch_size * options.batches_per_step;
  return (files + per_step - 1) / per_step;
}

/// For a message: a NaN's sign, which only the machine has chosen, is left out.
float unsigned_nan(float value) {
  return std::isnan(value) ? std::abs(value) : value;
}

}  // namespace

LearnerOptions learner_options(const TrainingConfig& config) {
  const LearningConfig& learning = config.learning;
  LearnerOptions options;
  options.batch_size = config.batch_size;
  options.batches_per_step = learning.accumulate_batches;
  options.weight_decay = learning.weight_decay;
  options.clip_norm = learning.gradient_clip_norm;
  options.learning_rate = config.learning_rate;
  return options;
}

LearningRate learning_rate_of(const TrainingConfig& config, int64_t files) {
  const LearningConfig& learning = config.learning;
  return {config.learning_rate, learning.schedule, learning.warmup_steps,
          learning.min_learning_rate,
          config.num_epochs * count_steps(files, learner_options(config))};
}

Trainer::Trainer(Learner& learner, const Dataset& training, const Dataset& validation,
                 const LearningRate& rate)
    : learner_(learner),
      training_(training),
      validation_(validation),
      rate_(rate),
      queue_capacity_(learner.queue_capacity()),
      training_source_(learner.context(), training),
      validation_source_(learner.context(), validation) {
  for (const Dataset* data : {&training, &validation}) {
    DSF_CHECK(data->files == 0 || data->frames == learner.model().config().max_length + 1,
              "sequences of {} frames, Tt + 1 is {}", data->frames,
              learner.model().config().max_length + 1);
  }
}

int64_t Trainer::steps_per_epoch() const {
  return count_steps(training_.files, learner_.options());
}

std::vector<StepBatch> Trainer::batches_of(const Sequences& sequences) const {
  std::vector<StepBatch> batches;
  const int64_t count = sequences.count(), size = learner_.options().batch_size;
  for (int64_t first = 0; first < count; first += size) {
    const int64_t length = std::min(size, count - first);
    batches.push_back(
        {sequences.part(first, length), static_cast<float>(length) / static_cast<float>(count)});
  }
  return batches;
}

float Trainer::finish_steps(int64_t epoch, int64_t files, int64_t& done, const StepEvent& on_step) {
  const LearnerOptions& options = learner_.options();
  float loss = 0;
  for (const StepResult& result : learner_.finish_steps()) {
    if (!result.finite()) {
      fail(
          "step {} (epoch {}): the loss is {} and the gradient's norm {}; training stops before "
          "this step is taken. Try a lower learning_rate",
          learner_.step() + 1, epoch, unsigned_nan(result.loss),
          unsigned_nan(result.gradient_norm));
    }
    loss = result.loss;
    done = std::min(done + options.batch_size * options.batches_per_step, files);
    on_step(done, loss);
  }
  return loss;
}

std::optional<float> Trainer::train_epoch(int64_t epoch, const StepEvent& on_step,
                                          const std::atomic<bool>& stop) {
  const LearnerOptions& options = learner_.options();
  const int64_t per_step = options.batch_size * options.batches_per_step;
  order_ = shuffled(training_.files, learner_.seed(), epoch);
  const Sequences sequences = training_source_.choose(order_, [&](int64_t file) {
    return random_crop_begin(training_, file, learner_.seed(), epoch);
  });
  float loss = 0;
  int64_t done = 0, queued = 0, step = (epoch - 1) * steps_per_epoch();
  for (int64_t first = 0; first < training_.files && !stop; first += per_step) {
    const int64_t count = std::min(per_step, training_.files - first);
    learner_.queue_step(batches_of(sequences.part(first, count)), rate_.at(++step));
    if (++queued < queue_capacity_ && first + count < training_.files) continue;
    queued = 0;
    loss = finish_steps(epoch, training_.files, done, on_step);
  }
  if (queued > 0) finish_steps(epoch, training_.files, done, on_step);
  if (stop) return std::nullopt;
  return loss;
}

void Trainer::require_finite(float loss, int64_t epoch, std::string_view name) const {
  if (std::isfinite(loss)) return;
  fail("step {} (epoch {}): after it the {} loss is {}. Try a lower learning_rate", learner_.step(),
       epoch, name, unsigned_nan(loss));
}

std::optional<float> Trainer::validate(int64_t epoch) {
  if (validation_.files == 0) return std::nullopt;
  double sum = 0;
  int64_t batches = 0;
  const Sequences sequences = validation_source_.choose(in_order(validation_.files));
  for (const StepBatch& batch : batches_of(sequences)) {
    sum += learner_.evaluate(batch.sequences);
    ++batches;
  }
  const auto loss = static_cast<float>(sum / static_cast<double>(batches));
  require_finite(loss, epoch, "validation");
  return loss;
}

void Trainer::require_usable_weights(int64_t epoch) {
  const std::span<const int64_t> order(order_);
  const auto files =
      order.first(std::min(order.size(), static_cast<size_t>(learner_.options().batch_size)));
  require_finite(learner_.evaluate(training_source_.choose(files)), epoch, "training");
}

}  // namespace dsf
