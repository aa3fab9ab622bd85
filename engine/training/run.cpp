#include "engine/training/run.h"

#include <fmt/format.h>

#include <optional>

#include "engine/data/training_data.h"
#include "engine/files/atomic_file.h"
#include "engine/logging/tensorboard.h"
#include "engine/training/checkpoint.h"
#include "engine/training/trainer.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

/// The run's folder, made if need be, and the checkpoint to go on from (empty: a fresh start).
struct RunFolder {
  fs::path path;
  fs::path checkpoint;

  RunFolder(const TrainingConfig& config, const RunOptions& options)
      : path(options.runs_directory / config.experiment) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) fail("{}: cannot make this folder: {}", path.string(), error.message());
    checkpoint = latest_checkpoint(path);
    if (!checkpoint.empty() && !options.resume) {
      fail_usage(
          "{} already holds {}; give --resume to go on from it, or another experiment name "
          "(--set experiment=NAME)",
          path.string(), checkpoint.filename().string());
    }
  }
};

/// The last word on a run that must stop: what is left of it.
std::string kept_checkpoint(const fs::path& folder) {
  const fs::path kept = latest_checkpoint(folder);
  return kept.empty() ? "no checkpoint was written yet"
                      : "the last good checkpoint is " + kept.string();
}

std::string describe(const Learner& learner, const Dataset& training, const Dataset& validation) {
  return fmt::format("{} parameters, {:.0f} MB; {} training files, {} validation files",
                     learner.model().table().size(), static_cast<double>(learner.bytes()) / 1e6,
                     training.files, validation.files);
}

}  // namespace

bool run_training(const Context& ctx, const TrainingConfig& requested, const RunOptions& options,
                  const std::function<void(const std::string&)>& say,
                  const std::atomic<bool>& stop) {
  const TrainingData data = load_training_data(requested);
  const TrainingConfig& config = data.config;
  const Dataset &training = data.training, &validation = data.validation;
  const RunFolder folder(config, options);
  Learner learner(config.model, config.batch_size, config.learning_rate, options.seed);
  CheckpointInfo info{config.model, config.class_names, config.parameter_names, 0, 0, options.seed};
  info.learning_rate = config.learning_rate;
  if (!folder.checkpoint.empty()) {
    info = resume(folder.checkpoint, info, learner);
    say(fmt::format("resuming from {}", folder.checkpoint.string()));
  } else if (!options.from.empty()) {
    say(start_from(options.from, info, learner));
  } else if (options.resume) {
    say(fmt::format("{}: no checkpoint to resume from, starting at the beginning",
                    folder.path.string()));
  }
  write_file_atomically(folder.path / "params.yaml", config.yaml);
  say(describe(learner, training, validation));

  EventWriter events(folder.path,
                     info.epoch > 0 ? std::optional<int64_t>(info.epoch) : std::nullopt);
  const int64_t frames_per_epoch = training.files * config.model.max_length;
  Progress progress(options.progress, frames_per_epoch * config.num_epochs,
                    frames_per_epoch * info.epoch);
  const int64_t steps_per_epoch = (training.files + config.batch_size - 1) / config.batch_size;
  TrainingEvents on;
  on.step = [&](int64_t epoch, int64_t step, float loss) {
    progress.update(frames_per_epoch * step / steps_per_epoch,
                    fmt::format("epoch {}/{}  loss {:.3f}", epoch, config.num_epochs, loss));
  };
  on.evaluation = [&](int64_t epoch, float training_loss, std::optional<float> validation_loss) {
    events.scalar("Loss/train", epoch - 1, training_loss);
    std::string line = fmt::format("epoch {:>4}  training loss {:.4f}", epoch, training_loss);
    if (validation_loss) {
      events.scalar("Loss/validation", epoch - 1, *validation_loss);
      line += fmt::format("  validation loss {:.4f}", *validation_loss);
    }
    progress.message(line);
  };
  on.checkpoint = [&](int64_t epoch) {
    info.epoch = epoch;
    info.step = learner.step();
    write_checkpoint(folder.path / checkpoint_name(config.model, epoch), learner, info);
    events.flush();
  };
  const TrainingSchedule schedule{config.batch_size, config.num_epochs, config.error_log_rate,
                                  config.checkpoint_interval};
  try {
    const bool finished = train(ctx, learner, training, validation, schedule, on, info.epoch, stop);
    progress.message(finished ? fmt::format("done: {}", latest_checkpoint(folder.path).string())
                              : fmt::format("stopped; {}; --resume goes on from it",
                                            kept_checkpoint(folder.path)));
    return finished;
  } catch (const Error& error) {
    fail("{}; {}", error.what(), kept_checkpoint(folder.path));
  }
}

}  // namespace dsf
