#pragma once
// One picture of a generation: its conditioning over time, its waveform and its spectrogram; or,
// where it has not been decoded to audio, its conditioning and its tokens.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/generation/morph.h"

namespace dsf {

struct GenerationPicture {
  std::string title;
  double seconds = 0;               // duration of what was generated
  Conditioning conditioning;        // at least one frame
  std::vector<std::string> names;   // of its components
  int64_t num_classes = 0;          // components before the first parameter
  std::span<const float> audio;     // one channel; empty: not decoded
  double sample_rate = 0;           // Hz; above 100 where there is audio
  std::span<const int32_t> tokens;  // [frames, codebooks]; drawn where there is no audio
  int64_t num_codebooks = 0;
  int64_t vocab_size = 0;
};

/// The picture as the bytes of a PNG file.
std::string draw_generation(const GenerationPicture& generation);

/// Writes it to `file`, whole or not at all.
void write_generation_picture(const std::filesystem::path& file,
                              const GenerationPicture& generation);

}  // namespace dsf
