#pragma once
// Many .dac files to sound files, as the `dac` command's decode does it.
#include <atomic>
#include <filesystem>
#include <vector>

#include "engine/audio/audio_file.h"
#include "engine/codec/codec.h"
#include "engine/codec/file_jobs.h"
#include "engine/logging/progress.h"

namespace dsf {

struct DecodeRequest {
  /// Files, and folders of which all .dac files are taken, at any depth (links to folders are not
  /// followed).
  std::vector<std::filesystem::path> inputs;
  /// Gets <name>.wav (or .flac) of a file, <place within the folder>/<name>.wav of a folder's.
  std::filesystem::path output;
  AudioFormat format = AudioFormat::wav16;
  Progress::Style progress = Progress::Style::lines;
};

struct DecodeSummary {
  int64_t files = 0;    // found; a folder without any counts as one that failed
  int64_t decoded = 0;  // and written
  int64_t failed = 0;
  double sound = 0;  // seconds
};

/// Decodes and writes file by file; each is written whole or not at all. What is wrong with one
/// (unreadable, codes that the codec does not know, a full disk …) is told to `complain`, counted,
/// and the others go on. An output folder that cannot be written to is an Error, two inputs that
/// would become one file are a UsageError, both before anything is decoded. Every file is read
/// before the first is decoded, so that a bad one is known early and the time left can be said.
/// Memory does not grow with the sounds' length, but by their codes: the samples of the one in work
/// lie in a ScratchFile in the output folder.
/// `stop` ends it; the file in work is then not written.
DecodeSummary decode_files(const Codec& codec, const DecodeRequest& request,
                           const Complaint& complain, const std::atomic<bool>& stop);

}  // namespace dsf
