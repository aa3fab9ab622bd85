#pragma once
// Whole training steps and generated frames at the sizes of the configs, on either device.
#include <functional>
#include <string>
#include <vector>

#include "bench/timing.h"
#include "engine/model/model_config.h"
#include "kernels/common/context.h"

namespace dsf::bench {

struct ModelWork {
  std::string name;
  Needs needs;        // of one unit: a step, a frame
  int warmup = 2;     // units before it is timed
  int64_t units = 1;  // that a call does on a GPU, which is waited for at its end; 1 on the CPU
  double sound = 0;   // seconds of it in a unit, of all streams
  bool gpu_only = false, cpu_only = false;
  /// Builds the model on a device and gives what is to be timed.
  std::function<std::function<void()>(const Context&)> prepare;
};

/// All of them: train_step/<size>/<variant> and frame/<size>/<variant>; of our class on a GPU also
/// frames whose ops are queued one by one and frames of many streams, on the CPU frames of weights
/// kept in bf16 and int8; decode/<codec>.
std::vector<ModelWork> model_works();
ModelWork decode_work();

}  // namespace dsf::bench
