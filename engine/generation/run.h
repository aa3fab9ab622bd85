#pragma once
// A whole generation as dsf_infer does it: from a run's folder to sound files.
#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/audio/audio_file.h"
#include "engine/generation/file_identity.h"
#include "engine/generation/generate.h"
#include "engine/logging/progress.h"

namespace dsf {

/// What a run that is repeated must find as it was.
struct ExpectedSources {
  std::filesystem::path sidecar;  // that says so
  FileIdentity model;
  std::optional<FileIdentity> codec;
  std::vector<FileIdentity> primes;
  int64_t primed_frames = 0, first_frame = 0;
};

struct GenerationJob {
  std::filesystem::path model;  // a run's folder or a checkpoint
  std::string checkpoint;       // which of the folder (engine/training/run_folder.h)
  std::string title;            // what names of files begin with; empty: the model's
  std::filesystem::path codec;  // as find_codec takes it; empty: the model's, else the cached one
  bool without_codec = false;   // no sound, even if there is one
  std::string device = "cpu", precision = "fp32";  // as make_context takes them
  std::filesystem::path folder;                    // for the files
  AudioFormat format = AudioFormat::wav16;
  GenerationRequest request;
  std::optional<ExpectedSources> expected;
  std::vector<std::string> opening;  // said, with the progress, once all is checked
  Progress::Style progress = Progress::Style::quiet;
  std::function<void(const std::string&)> warn;  // may be empty
};

enum class GenerationOutcome { done, done_without_sound, stopped };

/// Checks everything that can be known before the first frame (options, files, that the codec knows
/// the model's codes, that the folder can be written to), then generates all variations, batch by
/// batch, writes each and says what it wrote; without a codec, warns why there is no sound. Where
/// `stop` ends it, the variations written until then are whole.
GenerationOutcome run_generation(const Context& ctx, const GenerationJob& job,
                                 const std::atomic<bool>& stop);

}  // namespace dsf
