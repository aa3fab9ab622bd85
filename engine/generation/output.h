#pragma once
// What a generation leaves on the disk: .dac, sound, a picture, and how to make it again.
#include <filesystem>
#include <string>
#include <vector>

#include "engine/audio/audio_file.h"
#include "engine/generation/generate.h"
#include "engine/generation/take.h"

namespace dsf {

/// Where the files of a run go and what they come from.
struct OutputSettings {
  std::filesystem::path directory;
  std::filesystem::path model;  // the checkpoint
  std::filesystem::path codec;  // empty: no sound
  AudioFormat format = AudioFormat::wav16;
};

/// What all variations of a run have in common.
struct GenerationRun {
  GenerationRequest request;
  GenerationPlan plan;
  std::optional<LoopPlan> loop;
  int64_t blended = 0;    // frames of the conditioning that a loop changed
  int64_t continued = 0;  // frames of the .dac that is continued
};

/// Writes one variation, a take per channel: <directory>/<name>.dac (of two channels two files, for
/// `dac` to decode one by one: <name>-left.dac, <name>-right.dac), .json, .wav or .flac, .png;
/// gives their paths. The codes come first, so that what was generated is safe before anything else
/// is tried. `codec` null: no sound.
std::vector<std::filesystem::path> write_variation(
    const OutputSettings& output, const std::string& name, const GenerationRun& run,
    const CheckpointInfo& model, const std::vector<Take>& takes, const Codec* codec);

}  // namespace dsf
