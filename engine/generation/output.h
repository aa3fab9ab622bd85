#pragma once
// What a generation leaves on the disk: .dac, sound, a picture, and how to make it again.
#include <filesystem>
#include <string>
#include <vector>

#include "engine/generation/generation_run.h"
#include "engine/generation/take.h"

namespace dsf {

/// What names of files say of a model: a run's folder's name, or a checkpoint's without its ending.
std::string title_of(const std::filesystem::path& model);

/// "smalltest-DSWind-seed0", "smalltest-sweep-from860-loop-stereo-seed3"; what a file's name cannot
/// hold is replaced by '_'.
std::string output_name(const GenerationRun& run, uint64_t seed);

/// output_name, or the first of …-2, …-3 under which there are no files in `folder`, or those of
/// this very run and variation. The files that are gone on from are never such.
std::string free_output_name(const std::filesystem::path& folder, const GenerationRun& run,
                             const CheckpointInfo& model, uint64_t seed);

/// Writes one variation, a take per channel: <folder>/<name>.dac (of two channels two files, for
/// `dac` to decode one by one: <name>-left.dac, <name>-right.dac), .json, .wav or .flac, .png;
/// gives their paths. The codes come first, so that what was generated is safe before anything else
/// is tried. `codec` null: no sound. Where `progress`, told of decoded frames, ends it, neither
/// sound nor picture.
std::vector<std::filesystem::path> write_variation(
    const std::filesystem::path& folder, const std::string& name, const GenerationRun& run,
    const CheckpointInfo& model, const std::vector<Take>& takes, const Codec* codec,
    const DecodeProgress& progress = {});

}  // namespace dsf
