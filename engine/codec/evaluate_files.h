#pragma once
// Sound files compared with those they were made from.
#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/audio/audio_source.h"
#include "engine/audio/sound_distance.h"
#include "engine/codec/file_jobs.h"
#include "engine/logging/progress.h"

namespace dsf {

/// The distance of `other` from `reference`, in memory that does not grow with their length. The
/// other is resampled to the reference's rate; where their channels differ, or are more than
/// loudness is defined for, each is mixed down to one; the longer is cut to the shorter. Each of
/// these is told in `remarks`. An Error for sound without a sample.
SoundDistance compare_sounds(AudioSource& reference, AudioSource& other,
                             std::vector<std::string>& remarks);

struct EvaluateRequest {
  /// Two sound files, or two folders whose sound files are paired by their place in them and their
  /// name without its extension.
  std::filesystem::path reference, other;
  Progress::Style progress = Progress::Style::lines;
};

struct Evaluation {
  struct Pair {
    std::string name;
    SoundDistance distance;
    std::vector<std::string> remarks;
  };
  std::vector<Pair> pairs;            // in the order of their names; those that were compared
  std::vector<std::string> unpaired;  // files of either folder without a partner
  int64_t failed = 0;
};

/// Several pairs at a time. What is wrong with one is told to `complain` (by one thread at a time),
/// counted, and the others go on. A file beside a folder, and two files of a folder that differ
/// only by extension, are UsageErrors; what is not there, and two folders without a pair, are an
/// Error.
Evaluation evaluate_files(const EvaluateRequest& request, const Complaint& complain,
                          const std::atomic<bool>& stop);

/// The mean of all pairs.
SoundDistance mean_distance(const std::vector<Evaluation::Pair>& pairs);

}  // namespace dsf
