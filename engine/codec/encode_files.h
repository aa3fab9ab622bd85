#pragma once
// Many sound files to .dac files, as the `dac` command's encode does it.
#include <atomic>
#include <filesystem>
#include <vector>

#include "engine/codec/codec.h"
#include "engine/codec/dac_encoding.h"
#include "engine/codec/file_jobs.h"
#include "engine/logging/progress.h"

namespace dsf {

struct EncodeRequest {
  /// Sound files, and folders of which all files with a sound file's extension are taken.
  std::vector<std::filesystem::path> inputs;
  /// Gets <name>.dac of a file, <place within the folder>/<name>.dac of a folder's.
  std::filesystem::path output;
  EncodeOptions options;
  bool mono = false;       // channels are mixed down
  bool overwrite = false;  // encode also what is there already
  Progress::Style progress = Progress::Style::lines;
};

struct EncodeSummary {
  int64_t files = 0;  // found; a folder without any counts as one that failed
  int64_t encoded = 0;
  int64_t skipped = 0;  // were finished
  int64_t failed = 0;
  double sound = 0;  // seconds
};

/// Whether a file of this name is taken from a folder: .wav, .flac, .ogg, .aiff …
bool is_sound_file(const std::filesystem::path& name);

/// Encodes and writes, several files at a time; each is written whole or not at all. An input whose
/// output is there, readable, made alike (DacEncoder::made_alike) and not older is finished. What
/// is wrong with one is told to `complain` (by one thread at a time), counted, and the others go
/// on. An output folder that cannot be written to is an Error, two inputs that would become one
/// file are a UsageError, both before anything is encoded. `stop` ends it; files in work are then
/// not written.
EncodeSummary encode_files(const Codec& codec, const EncodeRequest& request,
                           const Complaint& complain, const std::atomic<bool>& stop);

}  // namespace dsf
