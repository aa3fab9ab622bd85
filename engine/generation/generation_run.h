#pragma once
// All that makes the variations of a run what they are.
#include <optional>
#include <string>
#include <vector>

#include "engine/audio/audio_file.h"
#include "engine/generation/code_timing.h"
#include "engine/generation/file_identity.h"
#include "engine/generation/generate.h"
#include "engine/generation/loop.h"
#include "kernels/common/context.h"

namespace dsf {

struct GenerationRun {
  std::string title;  // what the names of its files begin with: the model's
  SourceFile model;   // the checkpoint
  std::optional<SourceFile> codec;
  Device device = Device::cpu;
  Precision precision = Precision::fp32;
  AudioFormat format = AudioFormat::wav16;
  CodeTiming timing;
  GenerationRequest request;
  GenerationPlan plan;
  PrimeSources prime;
  std::optional<LoopPlan> loop;
  int64_t blended = 0;  // frames of the conditioning that the loop changed

  /// Frames that are drawn for each channel.
  int64_t drawn_frames() const { return loop ? loop->drawn : plan.conditioning.frames; }
};

}  // namespace dsf
