#pragma once
// An epoch over a data set: shuffling, batches, steps; and the losses that tell how it went.
#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/config/training_config.h"
#include "engine/data/dataset.h"
#include "engine/training/learner.h"
#include "engine/training/learning_rate.h"

namespace dsf {

/// Files gathered into one contiguous batch.
class BatchBuffer {
 public:
  BatchBuffer(const Dataset& data, int64_t batch_size);
  /// The first of the frames that are taken of a file.
  using Begin = std::function<int64_t(int64_t file)>;
  /// Of each file the frames from begin(file) on, or its first ones. Valid until the next call.
  Sequences gather(std::span<const int64_t> files, const Begin& begin = {});

 private:
  const Dataset& data_;
  int64_t conditions_;  // of a file
  std::vector<int32_t> frames_;
  std::vector<float> cond_;
};

/// How a run of `config` learns, and at which rates where there are so many training files.
LearnerOptions learner_options(const TrainingConfig& config);
LearningRate learning_rate_of(const TrainingConfig& config, int64_t files);

class Trainer {
 public:
  /// Told after every optimizer step how many files of the epoch are done, and the step's loss.
  using StepEvent = std::function<void(int64_t files, float loss)>;

  /// All must outlive the trainer. `validation` may be empty. `rate` counts the steps of the run:
  /// whatever the learner did before, the first step of the first epoch is step 1.
  Trainer(const Context& ctx, Learner& learner, const Dataset& training, const Dataset& validation,
          const LearningRate& rate);

  int64_t steps_per_epoch() const;
  /// The rate of an epoch's last step.
  float learning_rate(int64_t epoch) const { return rate_.at(epoch * steps_per_epoch()); }

  /// Trains on every file once and gives the loss of the last step; nothing where `stop` ended it
  /// early. The order of the files, and what is taken of longer ones, depend on the learner's seed
  /// and the epoch only. A loss or gradient that is not finite raises an Error that names the step;
  /// the weights are then those before that step.
  std::optional<float> train_epoch(int64_t epoch, const StepEvent& on_step,
                                   const std::atomic<bool>& stop);
  /// The mean loss over the batches of the validation data, if there is any; of longer files their
  /// beginning. One that is not finite is an Error that names the step.
  std::optional<float> validate(int64_t epoch);
  /// Raises an Error where the last step left weights with which the loss of a training batch is
  /// not finite: they must not replace a good checkpoint.
  void require_usable_weights(int64_t epoch);

 private:
  void require_finite(float loss, int64_t epoch, std::string_view name) const;

  const Context& ctx_;
  Learner& learner_;
  const Dataset& training_;
  const Dataset& validation_;
  LearningRate rate_;
  BatchBuffer training_batch_, validation_batch_;
  std::vector<int64_t> order_;  // of the files in the last epoch
};

}  // namespace dsf
