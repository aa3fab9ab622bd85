#include "engine/training/epochs.h"

namespace dsf {
namespace {

bool is_evaluation_epoch(const EpochSchedule& schedule, int64_t epoch) {
  return epoch > 0 && (epoch % schedule.evaluation_interval == 0 || epoch == schedule.num_epochs);
}

bool stops_early(const EpochSchedule& schedule, const EpochState& state) {
  return schedule.early_stop_epochs > 0 && state.best &&
         is_evaluation_epoch(schedule, state.finished) &&
         state.finished - state.best->epoch >= schedule.early_stop_epochs;
}

}  // namespace

bool is_checkpoint_epoch(const EpochSchedule& schedule, int64_t epoch) {
  return epoch % schedule.checkpoint_interval == 0 || epoch == schedule.num_epochs;
}

RunEnd run_epochs(const EpochSchedule& schedule, const EpochActions& actions, EpochState& state) {
  while (state.finished < schedule.num_epochs) {
    if (stops_early(schedule, state)) return RunEnd::early_stop;
    const int64_t epoch = state.finished + 1;
    const std::optional<float> loss = actions.train(epoch);
    if (!loss) return RunEnd::interrupted;
    state.finished = epoch;
    if (is_evaluation_epoch(schedule, epoch)) {
      const Evaluation evaluation{epoch, *loss, actions.validate(epoch)};
      const bool best = evaluation.validation_loss &&
                        (!state.best || *evaluation.validation_loss < *state.best->validation_loss);
      if (best) state.best = evaluation;
      actions.evaluated(evaluation, best);
    }
    const bool over = actions.time_is_over && actions.time_is_over();
    if (is_checkpoint_epoch(schedule, epoch) || stops_early(schedule, state) || over) {
      actions.checkpoint(epoch);
    }
    if (over && epoch < schedule.num_epochs && !stops_early(schedule, state)) {
      return RunEnd::time_over;
    }
  }
  return RunEnd::all_epochs;
}

}  // namespace dsf
