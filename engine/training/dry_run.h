#pragma once
// What a training run would be, without one.
#include <atomic>
#include <functional>
#include <string>

#include "engine/training/run.h"
#include "kernels/common/context.h"

namespace dsf {

/// Reads all data, builds the model and takes two steps with it, and prints, line by line: files
/// and their lengths, classes and parameters, the model's size, memory, the time an epoch takes,
/// and everything that is wrong with the data, the run's folder and the checkpoint that it would
/// begin with. Writes no file. Returns whether the run could start: nothing is wrong and the two
/// steps gave finite losses. `stop` ends it before the next step.
bool dry_run(const Context& ctx, const TrainingConfig& config, const RunOptions& options,
             const std::function<void(const std::string&)>& print, const std::atomic<bool>& stop);

}  // namespace dsf
