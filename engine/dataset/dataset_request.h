#pragma once
// What is asked of `dsf_codec dataset`.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/dataset/piece_measures.h"
#include "engine/logging/progress.h"

namespace dsf {

struct DatasetRequest {
  std::filesystem::path folder;       // of recordings
  std::filesystem::path output;       // gets train/, validation/ and what describes them
  std::filesystem::path weights;      // the codec's file, for its identity
  double seconds = 5;                 // of a piece
  std::optional<double> hop_seconds;  // from a piece's begin to the next one's; empty: no overlap
  int64_t n_codebooks = 4;            // leading ones, at most the codec's
  std::optional<double> loudness = -16;  // LUFS that each piece is brought to; empty: as it is
  std::filesystem::path parameters;      // table of parameters; empty: none
  std::string fields;                    // form of the file names; empty: no fields
  std::vector<Measure> measures;
  double validation = 0.1;  // share of each class's pieces, 0 … 0.5
  uint64_t seed = 0;        // of the split
  bool overwrite = false;   // encode also what is there already
  Progress::Style progress = Progress::Style::lines;
};

}  // namespace dsf
