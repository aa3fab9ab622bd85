#pragma once
// What a generation leaves on the disk: .dac, sound, a picture, and how to make it again.
#include <filesystem>
#include <string>
#include <vector>

#include "engine/audio/audio_file.h"
#include "engine/generation/generate.h"

namespace dsf {

/// A finished generation and where its files go: <directory>/<name>.dac, .wav (or .flac), .png,
/// .json.
struct GenerationOutput {
  std::filesystem::path directory;
  std::string name;
  std::filesystem::path model;  // the checkpoint
  std::filesystem::path codec;  // empty: no sound
  AudioFormat format = AudioFormat::wav16;
};

/// Decodes the .dac as `dac` does (dac_decoding.h) and writes all files; returns their paths. The
/// .dac is first, so that what was generated is safe before anything else is tried.
std::vector<std::filesystem::path> write_generation(
    const Context& ctx, const GenerationOutput& output, const GenerationRequest& request,
    const CheckpointInfo& model, const Conditioning& conditioning, const DacFile& codes);

}  // namespace dsf
