#pragma once
// Epochs over a data set: shuffling, evaluation, checkpoints, and what to tell whom.
#include <atomic>
#include <functional>
#include <optional>

#include "engine/data/dataset.h"
#include "engine/training/learner.h"

namespace dsf {

struct TrainingSchedule {
  int64_t batch_size = 1;
  int64_t num_epochs = 1;
  int64_t evaluation_interval = 1;  // epochs (upstream's ErrorLogRate)
  int64_t checkpoint_interval = 1;  // epochs
};

/// What a run tells while it goes on. Epochs count from 1.
struct TrainingEvents {
  std::function<void(int64_t epoch, int64_t step, float loss)> step;
  /// The last batch's training loss and, if there is validation data, its mean loss over batches.
  std::function<void(int64_t epoch, float training_loss, std::optional<float> validation_loss)>
      evaluation;
  /// Asks for a checkpoint of the learner after `epoch`.
  std::function<void(int64_t epoch)> checkpoint;
};

/// Trains from the end of `finished_epochs` to the end of the schedule. The order of the files, and
/// what is taken of longer ones, depend on the learner's seed and the epoch only, so a resumed run
/// goes on as an uninterrupted one. A checkpoint is asked for every checkpoint_interval epochs and
/// after the last one. `validation` may be empty. A loss or gradient that is not finite raises an
/// Error that names the step; the weights are then those before that step. Returns false where
/// `stop` ended it early.
bool train(const Context& ctx, Learner& learner, const Dataset& training, const Dataset& validation,
           const TrainingSchedule& schedule, const TrainingEvents& events, int64_t finished_epochs,
           const std::atomic<bool>& stop);

/// The mean loss over the batches of a data set, without learning; of longer files their beginning.
float evaluate(const Context& ctx, Learner& learner, const Dataset& data, int64_t batch_size);

}  // namespace dsf
