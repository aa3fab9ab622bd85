#pragma once
// A whole training run: from a configuration to a folder with checkpoints.
#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>

#include "engine/config/training_config.h"
#include "engine/data/faults.h"
#include "engine/data/training_data.h"
#include "engine/logging/progress.h"
#include "engine/training/learner.h"
#include "kernels/common/context.h"

namespace dsf {

struct RunOptions {
  std::filesystem::path runs_directory = "runs";  // the run's folder is <this>/<experiment>
  uint64_t seed = 0;
  bool resume = false;  // go on from the latest state saved, if there is one
  // Where there is none: a checkpoint of any kind whose weights and optimizer a run begins with, or
  // a run's folder, of which the best is taken, else the latest.
  std::filesystem::path from;
  std::optional<double> minutes;  // of training: ends before an epoch that would take it past them
  Progress::Style progress = Progress::Style::lines;
};

/// Sets a learner (null: none) to the state that a run would begin with, writes nothing and gives
/// words for it; empty where it cannot begin. What run_training refuses goes to `faults`: a folder
/// that is taken or cannot be written to, a checkpoint of another model, losses that cannot be
/// read. Without training data a checkpoint is not compared with what only they tell.
std::string check_beginning(const TrainingData& data, const RunOptions& options, Learner* learner,
                            Faults& faults);

/// Trains as `config` says. Writes to the run's folder: params.yaml; TensorBoard events (tags
/// Loss/train and Loss/validation, and LearningRate where it varies; step = epoch − 1);
/// checkpoints, among them the best by validation loss; losses.csv and, at the end (of a run that
/// failed too), losses.png. Ends by telling `say` what came of it. Returns false where `stop` ended
/// it early. A folder that already has checkpoints is a UsageError without `resume`, and so is
/// one that another process trains into.
bool run_training(const Context& ctx, const TrainingConfig& config, const RunOptions& options,
                  const std::function<void(const std::string&)>& say,
                  const std::atomic<bool>& stop);

}  // namespace dsf
