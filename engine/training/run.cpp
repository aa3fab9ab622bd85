#include "engine/training/run.h"

#include <fmt/ranges.h>

#include <chrono>
#include <optional>

#include "engine/data/training_data.h"
#include "engine/files/atomic_file.h"
#include "engine/files/counted.h"
#include "engine/files/folder_lock.h"
#include "engine/files/output_folder.h"
#include "engine/logging/tensorboard.h"
#include "engine/training/checkpoint.h"
#include "engine/training/run_folder.h"
#include "engine/training/summary.h"
#include "engine/training/trainer.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

fs::path run_folder(const TrainingConfig& config, const RunOptions& options) {
  return options.runs_directory / config.experiment;
}

/// What the run is, before its first step.
CheckpointInfo run_info(const TrainingConfig& config, const RunOptions& options) {
  CheckpointInfo info{config.model, config.class_names, config.parameter_names, 0, 0, options.seed};
  info.learning_rate = config.learning_rate;
  info.codec = config.codec;
  info.sampling = config.sampling;
  return info;
}

/// The checkpoint to begin with: of a run's folder the one that dsf_infer would take.
fs::path first_checkpoint(const RunOptions& options) {
  return choose_checkpoint(options.from, "");
}

/// Refuses a folder that holds a checkpoint unless the run resumes, and to resume another run's.
void require_right_folder(const TrainingConfig& config, const RunOptions& options) {
  const fs::path path = run_folder(config, options);
  require_not_upstreams(path);
  if (!options.resume) require_no_checkpoint(path);
  if (options.resume && options.from.empty()) require_same_run(path, config.file);
}

fs::path losses_in(const fs::path& folder) {
  return folder / "losses.csv";
}

/// What a run goes on from.
struct SavedState {
  fs::path checkpoint;
  CheckpointInfo info;
  std::optional<Evaluation> best;
  LossHistory history;
  std::string changes;  // of the settings since, for the user; empty: none
};

/// Sets the learner, if there is one, to the latest state that a run's folder holds, if there is
/// one. The best checkpoint is written before the latest of the same epoch and may be of a later
/// one: it holds a whole state too, so that the run goes on from whichever is later.
std::optional<SavedState> resume_latest(const fs::path& folder, const CheckpointInfo& run,
                                        const std::string& settings, Learner* learner) {
  const auto take = [&](const fs::path& file) {
    return learner ? resume(file, run, *learner) : read_checkpoint_info(file, run);
  };
  SavedState state{latest_checkpoint(folder), run, std::nullopt, {}, {}};
  if (!state.checkpoint.empty()) state.info = take(state.checkpoint);
  const fs::path best_file = folder / kBestCheckpoint;
  if (fs::exists(best_file)) {
    const CheckpointInfo best = read_checkpoint_info(best_file, run);
    state.best = best.evaluation;
    if (best.epoch > state.info.epoch) {
      state.info = take(best_file);
      state.checkpoint = best_file;
    }
  }
  if (state.checkpoint.empty()) return std::nullopt;
  const std::vector<std::string> changes = changed_settings(folder, settings);
  if (!changes.empty()) {
    state.changes =
        fmt::format("its settings are others from here on: {}", fmt::join(changes, "; "));
  }
  const fs::path losses = losses_in(folder);
  if (fs::exists(losses)) state.history = read_loss_history(losses, state.info.epoch);
  return state;
}

/// The run's folder, which can be written to. It is not made yet.
fs::path find_folder(const TrainingConfig& config, const RunOptions& options) {
  fs::path path = run_folder(config, options);
  check_output_folder(path);
  return path;
}

/// A run under way: its state, and what of it goes into which file.
class Run {
 public:
  using Say = std::function<void(const std::string&)>;

  Run(const Context& ctx, const TrainingConfig& requested, const RunOptions& options,
      const Say& say);
  RunEnd train(const std::atomic<bool>& stop);
  /// Writes the curve and its picture, and says what came of the run.
  void conclude(RunEnd end);

 private:
  void begin_or_resume();
  void open_folder();
  bool resume_from_folder();
  void evaluated(const Evaluation& evaluation, bool best, Progress& progress);
  void save_history();
  void write_losses();
  void save(const fs::path& name, int64_t epoch, const std::optional<Evaluation>& evaluation);
  fs::path checkpoint_of(int64_t epoch) const { return checkpoint_name(config_.model, epoch); }
  fs::path losses_file() const { return losses_in(folder_); }
  fs::path losses_picture() const { return folder_ / "losses.png"; }

  const RunOptions& options_;
  const Say& say_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  const TrainingData data_;
  const TrainingConfig& config_ = data_.config;
  fs::path folder_;
  std::optional<FolderLock> lock_;
  Learner learner_;
  LearningRate rate_;
  Trainer trainer_;
  CheckpointInfo info_;
  EpochSchedule schedule_;
  EpochState state_;
  LossHistory history_;
  bool history_changed_ = false;  // since it was written
  fs::path saved_;                // the checkpoint of the latest epoch
  std::optional<EventWriter> events_;
};

Run::Run(const Context& ctx, const TrainingConfig& requested, const RunOptions& options,
         const Say& say)
    : options_(options),
      say_(say),
      data_(load_training_data(requested)),
      folder_(find_folder(config_, options)),
      learner_(config_.model, learner_options(config_), options.seed, ctx),
      rate_(learning_rate_of(config_, data_.training.files)),
      trainer_(learner_, data_.training, data_.validation, rate_),
      schedule_{config_.num_epochs, config_.error_log_rate, config_.checkpoint_interval,
                config_.learning.early_stop_epochs} {
  for (const std::string& note : data_.notes) say(note);
  info_ = run_info(config_, options);
  begin_or_resume();
  write_file_atomically(folder_ / kRunConfig, config_.yaml);
  say(fmt::format("{}, {:.0f} MB; {}, {}{}", counted(learner_.model().table().size(), "parameter"),
                  static_cast<double>(learner_.bytes()) / 1e6,
                  counted(data_.training.files, "training file"),
                  counted(data_.validation.files, "validation file"),
                  config_.codec.empty() ? "" : ", codes of the codec " + config_.codec));
  events_.emplace(folder_,
                  state_.finished > 0 ? std::optional<int64_t>(state_.finished) : std::nullopt);
}

bool Run::resume_from_folder() {
  std::optional<SavedState> saved = resume_latest(folder_, info_, config_.yaml, &learner_);
  if (!saved) return false;
  saved_ = saved->checkpoint;
  info_ = saved->info;
  state_.best = saved->best;
  state_.finished = info_.epoch;
  history_ = std::move(saved->history);
  say_(fmt::format("resuming from {}", saved_.string()));
  if (!saved->changes.empty()) say_(saved->changes);
  if (state_.finished >= config_.num_epochs) {
    say_(fmt::format(
        "{} of {} are done: it goes on where num_epochs is larger, as with --set num_epochs={}",
        state_.finished, counted(config_.num_epochs, "epoch"), 2 * state_.finished));
  }
  const fs::path checkpoint = checkpoint_of(state_.finished);
  if (is_checkpoint_epoch(schedule_, state_.finished) && !fs::exists(folder_ / checkpoint)) {
    save(checkpoint, state_.finished, std::nullopt);
  }
  return true;
}

/// Makes the folder if need be, and keeps it for this run.
void Run::open_folder() {
  prepare_output_folder(folder_);
  lock_.emplace(folder_);
}

/// A checkpoint that cannot be begun with leaves no folder behind.
void Run::begin_or_resume() {
  if (options_.resume) {
    open_folder();
    if (resume_from_folder()) return;
  }
  if (!options_.from.empty()) {
    say_(start_from(first_checkpoint(options_), info_, &learner_));
  } else if (options_.resume) {
    say_(fmt::format("{}: no checkpoint to resume from, starting at the beginning",
                     folder_.string()));
  }
  if (!lock_) open_folder();
}

void Run::save_history() {
  if (history_changed_) write_loss_history(losses_file(), history_);
  history_changed_ = false;
}

/// The losses go first: a run that is resumed from this state finds all of those up to it.
void Run::save(const fs::path& name, int64_t epoch, const std::optional<Evaluation>& evaluation) {
  save_history();
  info_.epoch = epoch;
  info_.step = learner_.step();
  info_.evaluation = evaluation;
  write_checkpoint(folder_ / name, learner_, info_);
  saved_ = folder_ / name;
  if (events_) events_->flush();
}

void Run::evaluated(const Evaluation& evaluation, bool best, Progress& progress) {
  const int64_t step = evaluation.epoch - 1;
  events_->scalar("Loss/train", step, evaluation.training_loss);
  std::string line =
      fmt::format("epoch {:>4}  training loss {:.4f}", evaluation.epoch, evaluation.training_loss);
  if (evaluation.validation_loss) {
    events_->scalar("Loss/validation", step, *evaluation.validation_loss);
    line += fmt::format("  validation loss {:.4f}{}", *evaluation.validation_loss,
                        best ? "  best so far" : "");
  }
  if (rate_.varies()) {
    events_->scalar("LearningRate", step, trainer_.learning_rate(evaluation.epoch));
  }
  progress.message(line);
  history_.push_back(evaluation);
  history_changed_ = true;
  if (best) save(kBestCheckpoint, evaluation.epoch, evaluation);
}

RunEnd Run::train(const std::atomic<bool>& stop) {
  const int64_t file_frames = config_.model.max_length;
  const int64_t epoch_frames = data_.training.files * file_frames;
  Progress progress(options_.progress, epoch_frames * config_.num_epochs,
                    epoch_frames * state_.finished);
  EpochActions actions;
  actions.train = [&](int64_t epoch) {
    const auto on_step = [&](int64_t files, float loss) {
      progress.update(epoch_frames * (epoch - 1) + file_frames * files,
                      fmt::format("epoch {}/{}  loss {:.3f}", epoch, config_.num_epochs, loss));
    };
    return trainer_.train_epoch(epoch, on_step, stop);
  };
  actions.validate = [&](int64_t epoch) { return trainer_.validate(epoch); };
  actions.evaluated = [&](const Evaluation& evaluation, bool best) {
    evaluated(evaluation, best, progress);
  };
  actions.checkpoint = [&](int64_t epoch) {
    trainer_.require_usable_weights(epoch);
    save(checkpoint_of(epoch), epoch, std::nullopt);
  };
  if (options_.minutes) {
    progress.end_after(*options_.minutes * 60);
    actions.time_is_over = [&, first = state_.finished, begin = std::chrono::steady_clock::now()] {
      const std::chrono::duration<double, std::ratio<60>> spent =
          std::chrono::steady_clock::now() - begin;
      const auto epochs = static_cast<double>(state_.finished - first);
      return spent.count() * (epochs + 1) / epochs > *options_.minutes;  // after one more
    };
  }
  try {
    return run_epochs(schedule_, actions, state_);
  } catch (const Error& error) {
    try {
      write_losses();
    } catch (const Error&) {  // the first error matters, and this one may have the same cause
    }
    fail("{}; {}", error.what(),
         saved_.empty() ? "no checkpoint was written yet"
                        : "the last good checkpoint is " + saved_.string());
  }
}

/// The losses so far and their picture.
void Run::write_losses() {
  save_history();
  if (history_.empty()) return;
  write_loss_picture(losses_picture(), picture_of_run(config_.experiment, history_, state_));
}

void Run::conclude(RunEnd end) {
  write_losses();
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin_;
  RunSummary summary{end,    schedule_, state_, data_.validation.files > 0, spent.count(), {},
                     saved_, {},        {}};
  if (fs::exists(folder_ / kBestCheckpoint)) summary.best = folder_ / kBestCheckpoint;
  if (!history_.empty()) {
    summary.losses = losses_file();
    summary.picture = losses_picture();
  }
  say_(describe_run(summary));
}

}  // namespace

std::string check_beginning(const TrainingData& data, const RunOptions& options, Learner* learner,
                            Faults& faults) {
  const TrainingConfig& config = data.config;
  const fs::path folder = run_folder(config, options);
  const CheckpointInfo info = run_info(config, options);
  const size_t before = faults.count();
  // The data tell the parameters' names, and a data frame their number and the classes.
  const bool names_known = data.training.files > 0;
  const bool sizes_known = names_known || config.data_frame.empty();
  std::string beginning;
  std::optional<FolderLock> lock;
  faults.collect("", [&] {
    require_right_folder(config, options);
    check_output_folder(folder);
    if (fs::exists(folder)) lock.emplace(folder);
    if (!options.resume || !lock || !names_known) return;
    if (const auto saved = resume_latest(folder, info, config.yaml, learner)) {
      beginning = fmt::format("resumes from {}{}{}", saved->checkpoint.string(),
                              saved->changes.empty() ? "" : "; ", saved->changes);
    }
  });
  // Looked at where the folder is wrong, too: the folder will be mended.
  if (beginning.empty() && !options.from.empty()) {
    faults.collect("", [&] {
      const fs::path checkpoint = first_checkpoint(options);
      if (sizes_known) beginning = start_from(checkpoint, info, learner);
    });
  }
  if (faults.count() > before || !names_known) return "";
  return beginning.empty() ? "new" : beginning;
}

bool run_training(const Context& ctx, const TrainingConfig& config, const RunOptions& options,
                  const std::function<void(const std::string&)>& say,
                  const std::atomic<bool>& stop) {
  require_right_folder(config, options);
  Run run(ctx, config, options, say);
  const RunEnd end = run.train(stop);
  run.conclude(end);
  return end != RunEnd::interrupted;
}

}  // namespace dsf
