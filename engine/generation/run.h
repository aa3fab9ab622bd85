#pragma once
// A whole generation as dsf_infer does it: from a run's folder to sound files.
#include <atomic>
#include <filesystem>

#include "engine/generation/output.h"
#include "engine/logging/progress.h"

namespace dsf {

struct GenerationJob {
  std::filesystem::path model;  // a run's folder or a checkpoint
  std::string checkpoint;       // which of the folder (engine/training/run_folder.h)
  OutputSettings output;        // `model` and `codec` are found
  std::filesystem::path codec;  // empty: the usual place, if there is one
  GenerationRequest request;
  Progress::Style progress = Progress::Style::quiet;
};

enum class GenerationOutcome { done, done_without_sound, stopped };

/// Generates all variations, batch by batch, writes each and says what it wrote. Where `stop` ends
/// it, the variations written until then are whole.
GenerationOutcome run_generation(const Context& ctx, const GenerationJob& job,
                                 const std::atomic<bool>& stop);

}  // namespace dsf
