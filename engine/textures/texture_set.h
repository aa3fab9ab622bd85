#pragma once
// A data set of procedural textures: sound files and the data frames that say what they are.
#include <atomic>
#include <filesystem>
#include <optional>
#include <vector>

#include "engine/audio/audio_file.h"
#include "engine/logging/progress.h"
#include "engine/textures/texture.h"

namespace dsf {

struct TextureSetRequest {
  std::filesystem::path output;
  std::vector<TextureKind> kinds;  // of a kind named twice there is one set
  int64_t count = 10;              // of each class, to train on
  int64_t validation_count = 0;    // of each class besides, for validation
  double seconds = 5;              // of each sound
  uint64_t seed = 0;
  std::optional<double> parameter;  // of all sounds; without it spread evenly over [0, 1]
  AudioFormat format = AudioFormat::wav16;
  Progress::Style progress = Progress::Style::lines;
};

struct TextureSetSummary {
  int64_t sounds = 0;     // written
  double seconds = 0;     // of sound
  bool complete = false;  // with its frames
};

inline constexpr int64_t kMostTextures = 1'000'000;  // of a class

/// Writes train-wav/ and, below it, dac-train.csv; with validation sounds val-wav/ and dac-val.csv,
/// too: upstream's layout, in which the encoded sounds lie in dac-train/ and dac-val/. The frames
/// (data_frame.h) name each sound, the .dac file that it will be once encoded, its class and its
/// parameter `param1`; so do the files' names (file_name_conditioning.h). Spread parameters of
/// training sounds begin with 0 and end with 1, those for validation lie between.
///
/// Sounds are made in parallel, each written whole or not at all, the frames last. A UsageError for
/// a request out of range, and where the folders hold sounds that are none of this set, which would
/// be taken for it, or others of the same names. `stop` ends it after the sounds in work: without
/// frames, if there are others left to make.
TextureSetSummary write_texture_set(const TextureSetRequest& request,
                                    const std::atomic<bool>& stop);

}  // namespace dsf
