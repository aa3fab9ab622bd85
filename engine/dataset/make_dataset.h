#pragma once
// From a folder of recordings to a data set that dsf_train takes as it is.
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/audio/sound_distance.h"
#include "engine/codec/codec.h"
#include "engine/codec/file_jobs.h"
#include "engine/dataset/dataset_plan.h"
#include "engine/dataset/dataset_request.h"

namespace dsf {

/// Mean mel distance (sound_distance.h) of a class above which the codec does not suit it. Where it
/// comes from: a small codec of four codebooks gave 0.15 to 0.23 on the four classes of synthetic
/// sound that it was trained on (48 clips; single ones up to 0.28), and 0.24, 0.26, 0.29 and 0.81
/// on eight real recordings of classes of the same kind. Noise of a sound's mean spectrum has some
/// 0.3.
inline constexpr double kSuitableMelDistance = 0.25;

/// What was found out about one class.
struct ClassSummary {
  std::string name;
  int64_t recordings = 0, training_pieces = 0, validation_pieces = 0;
  int64_t compared = 0;    // pieces that were decoded again
  SoundDistance distance;  // their mean
};

struct DatasetSummary {
  std::vector<ClassSummary> classes;
  std::vector<ScaledParameter> parameters;
  int64_t recordings = 0;  // with pieces
  int64_t pieces = 0, encoded = 0, skipped = 0;
  int64_t failed = 0;          // recordings that could not be read
  double dropped_seconds = 0;  // at the ends of recordings
  bool stopped = false;        // by `stop`: nothing above is known
};

struct DatasetTold {
  Complaint complain;  // a recording that is left out: the run has failed in part
  Complaint warn;      // anything else that a user should know
};

/// Cuts the recordings into pieces, encodes them, and writes below the output folder: train/ and
/// validation/ with a .dac file for each piece, their data frames train.csv and validation.csv,
/// dataset.json (scales, settings, recordings, reconstruction), params.yaml. Memory does not grow
/// with a recording's length. Data frames and params.yaml are written once all pieces are there; an
/// earlier run's, and pieces that it made otherwise, are removed before the first is made. A run
/// that was ended goes on where it stopped. All that is wrong with names, classes and parameters is
/// an Error or a UsageError before anything is written; a piece that cannot be made is an Error,
/// after the others were.
DatasetSummary make_dataset(const Codec& codec, const DatasetRequest& request,
                            const DatasetTold& told, const std::atomic<bool>& stop);

}  // namespace dsf
