#pragma once
// Which pieces a data set has, what they are called, on which side they are, and their parameters.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/dataset/recordings.h"
#include "engine/dataset/survey.h"

namespace dsf {

struct Piece {
  size_t recording = 0;
  int64_t index = 0;      // within the recording
  std::string file_name;  // <place and name of the recording>-<index, four digits>.dac
  bool validation = false;
  bool compared = false;  // decoded again, to tell how well the codec does
  std::vector<float> parameters;
};

/// What a parameter's numbers mean: `low` + x · (`high` − `low`).
struct ScaledParameter {
  std::string name;
  std::string source;  // "file names", a table's name, "measured"
  std::string unit;    // empty: not known
  double low = 0, high = 1;
};

struct DatasetPlan {
  std::vector<Piece> pieces;  // in the order of the recordings
  std::vector<ScaledParameter> parameters;
  std::vector<std::string> classes;   // sorted; those with pieces
  std::vector<std::string> warnings;  // what a user should know, each with names

  bool validates() const;
};

/// The most pieces of a class that are compared, evenly spread over them.
inline constexpr int64_t kComparedPieces = 8;

/// A class's recordings are drawn for validation, by the seed and their names alone, until the
/// share of its pieces that was asked for is reached as nearly as whole recordings can; at least
/// one, and not all. A class with one recording has none there. Measured parameters are scaled to
/// [0, 1] over all pieces but the silent ones; others only where a value lies outside of it. Two
/// recordings whose pieces would have one name are a UsageError; no piece at all is an Error.
DatasetPlan plan_dataset(const Recordings& recordings,
                         const std::vector<SurveyedRecording>& surveyed,
                         const DatasetRequest& request);

}  // namespace dsf
