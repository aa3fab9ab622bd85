#pragma once
// From a trained model to .dac files' worth of codes.
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/dac_file.h"
#include "engine/generation/code_timing.h"
#include "engine/generation/generator.h"
#include "engine/generation/morph.h"
#include "engine/generation/prime.h"
#include "engine/model/sampling.h"
#include "engine/training/checkpoint.h"

namespace dsf {

/// LUFS: what upstream writes into the files it generates, which decoders bring them to.
inline constexpr float kGeneratedLoudness = -20;

/// What a generation is asked for.
struct GenerationRequest {
  std::string class_name;                   // empty: the model's first, where one is used
  std::map<std::string, float> parameters;  // 0.5 where not given
  std::string morph = "constant";           // a ready-made one's name or a morph file's path
  std::string morph_text;                   // such a file's content, where it was read before
  std::optional<double> duration;           // s; none: a morph file's in seconds, else 10
  std::vector<std::string> prime;           // see make_prime
  SamplingChoice sampling;
  WeightFormat weights = WeightFormat::fp32;  // what StreamingDACTransformer's are kept in
  uint64_t seed = 0;
  int64_t count = 1;  // variations
  bool stereo = false;
  bool loop = false;

  int64_t channels() const { return stereo ? 2 : 1; }
  /// The seeds of one variation's channels: those of all are consecutive, from `seed` on.
  std::vector<uint64_t> seeds(int64_t variation) const;
};

/// A UsageError where models of this class, or on this device, have float32 weights alone.
void check_weight_format(WeightFormat format, const ModelConfig& config, const Context& ctx);

/// The request made definite for a model.
struct GenerationPlan {
  Conditioning conditioning;  // of every frame that will be heard
  double duration = 0;        // s
  std::string class_name;     // empty where none is used
  std::string morph_text;     // a morph file's content
};

/// Names that are not known, durations, counts, seeds and sampling that cannot be, and a morph
/// together with an option that it overrides are UsageErrors that list what is known.
GenerationPlan plan_generation(const CheckpointInfo& model, const GenerationRequest& request,
                               int64_t frames_per_second);

/// A sentence for each parameter that leaves 0 … 1: a checkpoint does not say what values it was
/// trained on, and these are the usual ones.
std::vector<std::string> unusual_parameters(const std::vector<std::string>& names,
                                            const Conditioning& conditioning);

/// Draws one frame for each of `conditioning`'s, for all streams at once; a file per stream.
/// `frame_done` is told how many there are so far; `stop` ends it early with the frames made until
/// then.
std::vector<DacFile> generate(const Context& ctx, TrainedModel& model,
                              const Conditioning& conditioning, const GenerationOptions& options,
                              const Prime& prime, const CodeTiming& timing,
                              const std::function<void(int64_t)>& frame_done,
                              const std::atomic<bool>& stop);

}  // namespace dsf
