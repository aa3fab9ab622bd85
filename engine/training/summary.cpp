#include "engine/training/summary.h"

#include <fmt/format.h>

#include "engine/files/counted.h"
#include "engine/logging/progress.h"

namespace dsf {
namespace {

std::string describe_end(const RunSummary& summary) {
  const std::string at = fmt::format("epoch {} of {}, {}", summary.state.finished,
                                     summary.schedule.num_epochs, format_duration(summary.seconds));
  switch (summary.end) {
    case RunEnd::all_epochs:
      return "done: " + at;
    case RunEnd::early_stop:
      return fmt::format("stopped early: {}; the validation loss had not improved for {}", at,
                         counted(summary.state.finished - summary.state.best->epoch, "epoch"));
    case RunEnd::time_over:
      return fmt::format("the time is over: {}; --resume goes on", at);
    case RunEnd::interrupted:
      break;
  }
  return fmt::format("stopped: {}; {}", at,
                     summary.saved.empty() ? "nothing was saved yet"
                                           : "--resume goes on from " + summary.saved.string());
}

std::string describe_best(const RunSummary& summary) {
  if (!summary.state.best && summary.validates) {
    return fmt::format("none: not evaluated yet (every {})",
                       counted(summary.schedule.evaluation_interval, "epoch"));
  }
  if (!summary.state.best) return "none: there is no validation data";
  const Evaluation& best = *summary.state.best;
  return fmt::format("epoch {}, training loss {:.4f}, validation loss {:.4f}{}", best.epoch,
                     best.training_loss, *best.validation_loss,
                     summary.best.empty() ? "" : "; " + summary.best.string());
}

}  // namespace

std::string describe_run(const RunSummary& summary) {
  std::string text = describe_end(summary);
  text += "\n  best    " + describe_best(summary);
  if (!summary.saved.empty()) text += "\n  latest  " + summary.saved.string();
  if (summary.losses.empty()) {
    return text + fmt::format("\n  losses  none: evaluated every {} (ErrorLogRate)",
                              counted(summary.schedule.evaluation_interval, "epoch"));
  }
  return text +
         fmt::format("\n  losses  {}, {}", summary.picture.string(), summary.losses.string());
}

LossPicture picture_of_run(const std::string& title, const LossHistory& history,
                           const EpochState& state) {
  LossPicture picture;
  picture.title = title;
  for (const Evaluation& one : history) {
    const auto epoch = static_cast<double>(one.epoch);
    picture.training.emplace_back(epoch, one.training_loss);
    if (one.validation_loss) picture.validation.emplace_back(epoch, *one.validation_loss);
  }
  if (state.best) {
    picture.best.emplace(static_cast<double>(state.best->epoch), *state.best->validation_loss);
  }
  return picture;
}

}  // namespace dsf
