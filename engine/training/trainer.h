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

/// How a run of `config` learns, and at which rates where there are so many training files.
LearnerOptions learner_options(const TrainingConfig& config);
LearningRate learning_rate_of(const TrainingConfig& config, int64_t files);

class Trainer {
 public:
  /// Told after every optimizer step how many files of the epoch are done, and the step's loss.
  using StepEvent = std::function<void(int64_t files, float loss)>;

  /// All must outlive the trainer. `validation` may be empty. `rate` counts the steps of the run:
  /// whatever the learner did before, the first step of the first epoch is step 1.
  Trainer(Learner& learner, const Dataset& training, const Dataset& validation,
          const LearningRate& rate);

  int64_t steps_per_epoch() const;
  /// Steps are not queued (on a GPU) but finished one by one, so that each can be timed.
  void finish_every_step() { queue_capacity_ = 1; }
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
  /// Sequences in batches of the learner's size, the last one maybe smaller, and their shares.
  std::vector<StepBatch> batches_of(const Sequences& sequences) const;
  /// Tells of the steps that were queued, and gives the loss of the last; `done` files are before
  /// them, then after them.
  float finish_steps(int64_t epoch, int64_t files, int64_t& done, const StepEvent& on_step);
  void require_finite(float loss, int64_t epoch, std::string_view name) const;

  Learner& learner_;
  const Dataset& training_;
  const Dataset& validation_;
  LearningRate rate_;
  int64_t queue_capacity_;
  SequenceSource training_source_, validation_source_;
  std::vector<int64_t> order_;  // of the files in the last epoch
};

}  // namespace dsf
