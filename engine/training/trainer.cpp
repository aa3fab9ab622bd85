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

/// Calls use(part) for parts of `size` files; the last may be smaller.
template <class Use>
void for_each_part(std::span<const int64_t> files, int64_t size, const Use& use) {
  while (!files.empty()) {
    const auto part = files.first(std::min(static_cast<size_t>(size), files.size()));
    use(part);
    files = files.subspan(part.size());
  }
}

/// Of an epoch.
int64_t count_steps(int64_t files, const LearnerOptions& options) {
  const int64_t per_step = options.batch_size * options.batches_per_step;
  return (files + per_step - 1) / per_step;
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

BatchBuffer::BatchBuffer(const Dataset& data, int64_t batch_size)
    : data_(data),
      conditions_(data.files == 0 ? 0 : static_cast<int64_t>(data.cond.size()) / data.files),
      frames_(static_cast<size_t>(batch_size * data.frames * data.codebooks)),
      cond_(static_cast<size_t>(batch_size * conditions_)) {}

Sequences BatchBuffer::gather(std::span<const int64_t> files, const Begin& begin) {
  const int64_t codes = data_.frames * data_.codebooks;
  const auto count = static_cast<int64_t>(files.size());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t file = files[static_cast<size_t>(i)];
    const int64_t first = data_.begins[static_cast<size_t>(file)] + (begin ? begin(file) : 0);
    std::copy_n(data_.tokens.data() + first * data_.codebooks, codes, frames_.data() + i * codes);
    std::copy_n(data_.cond.data() + file * conditions_, conditions_,
                cond_.data() + i * conditions_);
  }
  return {{frames_.data(), {count, data_.frames, data_.codebooks}},
          {cond_.data(), {count, conditions_}}};
}

Trainer::Trainer(const Context& ctx, Learner& learner, const Dataset& training,
                 const Dataset& validation, const LearningRate& rate)
    : ctx_(ctx),
      learner_(learner),
      training_(training),
      validation_(validation),
      rate_(rate),
      training_batch_(training, learner.options().batch_size),
      validation_batch_(validation, learner.options().batch_size) {}

int64_t Trainer::steps_per_epoch() const {
  return count_steps(training_.files, learner_.options());
}

std::optional<float> Trainer::train_epoch(int64_t epoch, const StepEvent& on_step,
                                          const std::atomic<bool>& stop) {
  const LearnerOptions& options = learner_.options();
  order_ = shuffled(training_.files, learner_.seed(), epoch);
  const BatchBuffer::Begin crop = [&](int64_t file) {
    return random_crop_begin(training_, file, learner_.seed(), epoch);
  };
  float loss = 0;
  int64_t done = 0, step = (epoch - 1) * steps_per_epoch();
  for_each_part(order_, options.batch_size * options.batches_per_step, [&](auto step_files) {
    if (stop) return;
    for_each_part(step_files, options.batch_size, [&](auto files) {
      const auto share = static_cast<float>(files.size()) / static_cast<float>(step_files.size());
      learner_.add_batch(ctx_, training_batch_.gather(files, crop), share);
    });
    const StepResult result = learner_.take_step(ctx_, rate_.at(++step));
    if (!result.finite()) {
      fail(
          "step {} (epoch {}): the loss is {} and the gradient's norm {}; training stops before "
          "this step is taken. Try a lower learning_rate",
          learner_.step() + 1, epoch, result.loss, result.gradient_norm);
    }
    loss = result.loss;
    done += static_cast<int64_t>(step_files.size());
    on_step(done, loss);
  });
  if (stop) return std::nullopt;
  return loss;
}

void Trainer::require_finite(float loss, int64_t epoch, std::string_view name) const {
  if (std::isfinite(loss)) return;
  fail("step {} (epoch {}): after it the {} loss is {}. Try a lower learning_rate", learner_.step(),
       epoch, name, loss);
}

std::optional<float> Trainer::validate(int64_t epoch) {
  if (validation_.files == 0) return std::nullopt;
  double sum = 0;
  int64_t batches = 0;
  for_each_part(in_order(validation_.files), learner_.options().batch_size, [&](auto files) {
    sum += learner_.evaluate(ctx_, validation_batch_.gather(files));
    ++batches;
  });
  const auto loss = static_cast<float>(sum / static_cast<double>(batches));
  require_finite(loss, epoch, "validation");
  return loss;
}

void Trainer::require_usable_weights(int64_t epoch) {
  const std::span<const int64_t> order(order_);
  const auto files =
      order.first(std::min(order.size(), static_cast<size_t>(learner_.options().batch_size)));
  require_finite(learner_.evaluate(ctx_, training_batch_.gather(files)), epoch, "training");
}

}  // namespace dsf
