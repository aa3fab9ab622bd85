#pragma once
// A folder of .dac files as a model learns from it.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/config/training_config.h"

namespace dsf {

/// F files of equal length, in the order of their names.
struct Dataset {
  int64_t files = 0;               // F
  int64_t frames = 0;              // of each file, Tt + 1
  int64_t codebooks = 0;           // N
  std::vector<int32_t> tokens;     // [F, frames, N], codes below the vocabulary
  std::vector<float> cond;         // [F, C], constant over a file
  std::vector<std::string> names;  // of the files
  /// The continuous parameters' names: the configuration's, else what all file names agree on, else
  /// param1.
  std::vector<std::string> parameter_names;
};

/// Reads every .dac file of a folder. The first num_codebooks of its codebooks are taken;
/// conditioning comes from its name (file_name_conditioning.h). A folder without .dac files, a file
/// of another length than Tt + 1, with fewer codebooks, more channels or a code outside the
/// vocabulary is an Error that names the file, the place, what was found and what was expected.
Dataset load_dataset(const std::filesystem::path& directory, const TrainingConfig& config);

}  // namespace dsf
