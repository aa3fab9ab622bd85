#pragma once
// Sound files and their conditioning as a model learns from them.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/data/faults.h"
#include "engine/model/model_config.h"

namespace dsf {

/// A file to learn from.
struct LabelledFile {
  std::filesystem::path path;
  std::string named_in;     // the place that names it, for messages; empty: its folder
  std::vector<float> cond;  // [C]
  bool usable = true;       // false where what names it is at fault: it is looked at all the same
};

/// F files, in the order in which they were named.
struct Dataset {
  int64_t files = 0;             // F
  int64_t frames = 0;            // that a model learns from at once, Tt + 1; no file has fewer
  int64_t codebooks = 0;         // N
  std::vector<int64_t> begins;   // [F+1], of each file in `tokens`, in frames; then the end
  std::vector<int32_t> tokens;   // [frames of all files, N], codes below the vocabulary
  std::vector<float> cond;       // [F, C], constant over a file
  int64_t most_codebooks = 0;    // of the files themselves, N or more
  std::filesystem::path widest;  // the first of so many

  int64_t length(int64_t file) const {
    return begins[static_cast<size_t>(file) + 1] - begins[static_cast<size_t>(file)];
  }
};

/// Reads the files; of their codebooks the first num_codebooks are taken. Files have Tt + 1 frames
/// or, where they are to be cropped (`random_crop`), at least as many. A file that cannot be read,
/// is too short or too long, has fewer codebooks, more channels or codes outside the vocabulary
/// goes to `faults` with all of that, and is left out; so is one that is not usable.
Dataset read_dataset(const std::vector<LabelledFile>& files, const ModelConfig& model,
                     bool random_crop, Faults& faults);

/// The first of the Tt + 1 frames of a file that an epoch of training sees: drawn evenly, from the
/// seed, the epoch and the file alone, so that a resumed run draws the same.
int64_t random_crop_begin(const Dataset& data, int64_t file, uint64_t seed, int64_t epoch);

}  // namespace dsf
