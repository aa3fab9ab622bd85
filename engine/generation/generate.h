#pragma once
// From a trained model to a .dac file's worth of codes.
#include <atomic>
#include <functional>
#include <map>
#include <string>

#include "engine/files/dac_file.h"
#include "engine/generation/generator.h"
#include "engine/generation/morph.h"
#include "engine/training/checkpoint.h"

namespace dsf {

/// Upstream counts durations in 86 frames to the second (the 44.1 kHz codec makes 86.13).
inline constexpr int64_t kFramesPerSecond = 86;

/// What a generation is asked for. Class and parameters left out take the model's first class and
/// 0.5.
struct GenerationRequest {
  std::string class_name;
  std::map<std::string, float> parameters;
  std::string morph = "constant";
  double duration = 10;  // seconds
  GenerationOptions options;
};

/// The conditioning of every frame. Unknown names are UsageErrors that list the known ones.
Conditioning plan_conditioning(const CheckpointInfo& model, const GenerationRequest& request);

/// Draws one frame for each of `conditioning`'s. `frame_done` is told how many there are so far;
/// `stop` ends it early with the frames made until then.
DacFile generate(const Context& ctx, TrainedModel& model, const Conditioning& conditioning,
                 const GenerationOptions& options, const std::function<void(int64_t)>& frame_done,
                 const std::atomic<bool>& stop);

}  // namespace dsf
