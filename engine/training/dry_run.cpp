#include "engine/training/dry_run.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "engine/data/training_data.h"
#include "engine/files/counted.h"
#include "engine/files/free_memory.h"
#include "engine/logging/progress.h"
#include "engine/training/trainer.h"

namespace dsf {
namespace {

constexpr double kSecondsPerFrame = 512.0 / 44100;  // of the 44.1 kHz codec

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string describe_files(const Dataset& data) {
  if (data.files == 0) return "none";
  int64_t shortest = data.length(0), longest = shortest;
  for (int64_t file = 1; file < data.files; ++file) {
    shortest = std::min(shortest, data.length(file));
    longest = std::max(longest, data.length(file));
  }
  const std::string lengths =
      shortest == longest ? fmt::to_string(longest) : fmt::format("{} to {}", shortest, longest);
  return fmt::format("{} of {} frames, {:.1f} s of sound", counted(data.files, "file"), lengths,
                     static_cast<double>(data.begins.back()) * kSecondsPerFrame);
}

/// Column `column` of the conditioning of all files.
std::vector<float> conditions(const Dataset& data, size_t column) {
  const size_t width = data.cond.size() / static_cast<size_t>(data.files);
  std::vector<float> values;
  for (size_t i = column; i < data.cond.size(); i += width) values.push_back(data.cond[i]);
  return values;
}

void print_conditioning(const TrainingData& data,
                        const std::function<void(const std::string&)>& print) {
  const std::vector<std::string>& classes = data.config.class_names;
  const std::vector<std::string>& parameters = data.config.parameter_names;
  std::vector<std::string> words;
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto files = std::ranges::count(conditions(data.training, i), 1.0F);
    words.push_back(fmt::format("{} ({})", classes[i], files));
  }
  print(fmt::format("classes:     {}", fmt::join(words, ", ")));
  words.clear();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto [least, most] = std::ranges::minmax(conditions(data.training, classes.size() + i));
    words.push_back(fmt::format("{} ({} to {})", parameters[i], least, most));
  }
  print(fmt::format("parameters:  {}",
                    words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "))));
}

/// Seconds that a training step takes: the second of two, as the first one also warms up. Nothing
/// where `stop` came before.
std::optional<double> measure_step(Trainer& trainer, const std::atomic<bool>& stop) {
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> done{false};
  std::vector<Clock::time_point> ends;
  const auto on_step = [&](int64_t, float) {
    ends.push_back(Clock::now());
    done = ends.size() == 2 || stop;
  };
  for (int64_t epoch = 1; !done && !stop; ++epoch) trainer.train_epoch(epoch, on_step, done);
  if (ends.size() < 2) return std::nullopt;
  return std::chrono::duration<double>(ends[1] - ends[0]).count();
}

/// Says how large the model is and what memory it takes in training; gives whether there is so
/// much.
bool print_sizes(const Context& ctx, const TrainingData& data, Faults& faults,
                 const std::function<void(const std::string&)>& print) {
  const TrainingConfig& config = data.config;
  const int64_t needed = Learner::bytes_needed(config.model, learner_options(config), ctx);
  const int64_t parameters = ParameterTable(config.model).size();
  print(fmt::format("model:       {}, {} ({})", model_class_name(config.model.model_class),
                    counted(parameters, "parameter"),
                    megabytes(parameters * static_cast<int64_t>(sizeof(float)))));
  const auto codes = static_cast<int64_t>(
      (data.training.tokens.size() + data.validation.tokens.size()) * sizeof(int32_t));
  // 0: not known, as what a GPU has left.
  const int64_t free = ctx.device == Device::cpu ? free_memory().value_or(0) : 0;
  print(fmt::format("memory:      {} for the model in training, {} for the data{}",
                    megabytes(needed), megabytes(codes),
                    free > 0 ? fmt::format("; {} are free", megabytes(free)) : ""));
  if (free == 0 || needed <= free) return true;
  faults.add(fmt::format(
      "the model in training needs {} of memory, {} are free (a smaller batch_size needs less)",
      megabytes(needed), megabytes(free)));
  return false;
}

void print_time(const TrainingData& data, Learner& learner,
                const std::function<void(const std::string&)>& print,
                const std::atomic<bool>& stop) {
  const TrainingConfig& config = data.config;
  Trainer trainer(learner, data.training, data.validation,
                  learning_rate_of(config, data.training.files));
  trainer.finish_every_step();
  const std::optional<double> measured = measure_step(trainer, stop);
  if (!measured) return;
  const double step = *measured;
  const int64_t steps = trainer.steps_per_epoch();
  const double epoch = step * static_cast<double>(steps);
  print(
      fmt::format("time:        {:.3g} s a step, {} an epoch: {:.3g} s; {} in {} "
                  "(without validation)",
                  step, counted(steps, "step"), epoch, counted(config.num_epochs, "epoch"),
                  format_duration(epoch * static_cast<double>(config.num_epochs))));
}

/// Where there are no data, or no memory for the model, what the run would begin with is looked at
/// all the same.
void print_run(const Context& ctx, const TrainingData& data, const RunOptions& options,
               Faults& faults, const std::function<void(const std::string&)>& print,
               const std::atomic<bool>& stop) {
  const TrainingConfig& config = data.config;
  std::optional<Learner> learner;
  faults.collect("", [&] {
    if (data.training.files == 0 || !print_sizes(ctx, data, faults, print)) return;
    learner.emplace(config.model, learner_options(config), options.seed, ctx);
  });
  const std::string beginning =
      check_beginning(data, options, learner ? &*learner : nullptr, faults);
  if (!beginning.empty()) print(fmt::format("run:         {}", beginning));
  if (learner) faults.collect("", [&] { print_time(data, *learner, print, stop); });
}

}  // namespace

bool dry_run(const Context& ctx, const TrainingConfig& config, const RunOptions& options,
             const std::function<void(const std::string&)>& print, const std::atomic<bool>& stop) {
  Faults faults;
  const TrainingData data = load_training_data(config, faults);
  print(fmt::format("training:    {}", describe_files(data.training)));
  print(fmt::format("validation:  {}", describe_files(data.validation)));
  print(fmt::format("codec:       {}", config.codec.empty() ? "not said" : config.codec));
  for (const std::string& note : data.notes) print("note:        " + note);
  if (data.training.files > 0) print_conditioning(data, print);  // otherwise faults say why
  if (!stop) print_run(ctx, data, options, faults, print, stop);
  if (stop) {
    print("stopped: what else may be wrong was not looked at");
    return false;
  }
  print(fmt::format("faults:      {}", faults.count()));
  for (const std::string& fault : faults.texts()) print("  " + fault);
  return faults.count() == 0;
}

}  // namespace dsf
