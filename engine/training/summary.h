#pragma once
// The last words on a training run.
#include <filesystem>
#include <string>

#include "engine/picture/loss_picture.h"
#include "engine/training/epochs.h"

namespace dsf {

struct RunSummary {
  RunEnd end = RunEnd::all_epochs;
  EpochSchedule schedule;
  EpochState state;
  bool validates = false;        // there is validation data
  double seconds = 0;            // of this run, without those that it resumed
  std::filesystem::path best;    // empty where there is no such file
  std::filesystem::path saved;   // the latest state that was saved; may be empty
  std::filesystem::path losses;  // empty where nothing was evaluated
  std::filesystem::path picture;
};

/// Some lines: how and when it ended, the best epoch with its losses, the files.
std::string describe_run(const RunSummary& summary);

/// The curve of a run, its best epoch marked. `history` is not empty.
LossPicture picture_of_run(const std::string& title, const LossHistory& history,
                           const EpochState& state);

}  // namespace dsf
