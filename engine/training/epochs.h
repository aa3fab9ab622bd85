#pragma once
// The course of a run, epoch by epoch: when to evaluate, what is best, when to save, when to stop.
// It knows no model: what an epoch does is handed in.
#include <functional>
#include <optional>

#include "engine/training/loss_history.h"

namespace dsf {

struct EpochSchedule {
  int64_t num_epochs = 1;
  int64_t evaluation_interval = 1;  // epochs (upstream's ErrorLogRate)
  int64_t checkpoint_interval = 1;  // epochs
  int64_t early_stop_epochs = 0;    // 0: never
};

/// What happens in an epoch, in this order.
struct EpochActions {
  /// Trains an epoch and gives the loss of its last step; nothing where it was asked to stop.
  std::function<std::optional<float>(int64_t epoch)> train;
  /// The validation loss; nothing where there is no validation data.
  std::function<std::optional<float>(int64_t epoch)> validate;
  /// Told of every evaluation, and whether its validation loss is the lowest so far.
  std::function<void(const Evaluation& evaluation, bool best)> evaluated;
  /// Asked for a checkpoint after an epoch.
  std::function<void(int64_t epoch)> checkpoint;
  /// Whether the run's time is over, asked after an epoch; may be empty: it never is.
  std::function<bool()> time_is_over = {};
};

/// Where a run is. A resumed run that is given the state which an uninterrupted one had there goes
/// on as that one did.
struct EpochState {
  int64_t finished = 0;            // epochs
  std::optional<Evaluation> best;  // the earliest of the lowest validation loss
};

enum class RunEnd { all_epochs, early_stop, time_over, interrupted };

/// Runs epochs state.finished + 1 … num_epochs and keeps `state` up to date. Evaluates every
/// evaluation_interval epochs, asks for a checkpoint every checkpoint_interval epochs, and does
/// both after the last epoch. Stops early after an evaluation whose epoch is early_stop_epochs or
/// more after the best one's; a run resumed from there stops at once. Where the time is over after
/// an epoch, it asks for a checkpoint and ends; what a run resumed from there does is not changed
/// by it.
RunEnd run_epochs(const EpochSchedule& schedule, const EpochActions& actions, EpochState& state);

/// Whether run_epochs asks for a checkpoint after `epoch` in any case.
bool is_checkpoint_epoch(const EpochSchedule& schedule, int64_t epoch);

}  // namespace dsf
