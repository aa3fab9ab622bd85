#pragma once
// The sounds that texture benches compare: fresh takes, the same through a codec, and a model's.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/audio/audio.h"
#include "engine/codec/codec.h"
#include "engine/generation/code_timing.h"
#include "engine/model/sampling.h"
#include "engine/textures/texture.h"
#include "engine/training/checkpoint.h"
#include "kernels/common/weight_matrix.h"

namespace dsf::bench {

struct TextureSource {
  std::filesystem::path model;  // a run's folder or a checkpoint; empty: the bundled one
  std::filesystem::path codec;  // as find_codec takes it; empty: the model's
  SamplingChoice sampling;
  std::string weights = "fp32";  // as parse_weight_format takes it
};

/// --model, --codec, --top-n, --temperature, --min-p and --weights.
void add_source_options(CLI::App& app, TextureSource& source);

/// A model that was trained on the classes of dsf_textures, with their one parameter, and its
/// codec. All functions may be called by several threads at once.
class TextureModel {
 public:
  explicit TextureModel(const TextureSource& source);

  /// Sounds of exactly so many seconds, one for each seed, as dsf_infer makes them.
  std::vector<Audio> generate(TextureKind kind, double parameter, double seconds,
                              const std::vector<uint64_t>& seeds) const;
  /// The sound, encoded as dsf_codec does it and decoded again.
  Audio through_codec(const Audio& sound) const;
  /// Model and codec, for reports.
  const std::string& description() const { return description_; }

 private:
  mutable TrainedModel model_;  // generators take its weights as a tensor, which they do not change
  Codec codec_;
  CodeTiming timing_;
  SampleSettings sampling_;
  WeightFormat weights_;
  std::string description_;
};

/// Calls work(index) for each below `count`, on all threads, each of which takes the next that is
/// left. Says on standard error what is done.
void for_each_job(const std::string& what, size_t count, const std::function<void(size_t)>& work);

/// Does a bench's work, which draws `plot`; then says how long it took and what the plot shows.
/// Gives the exit code.
int timed(const std::filesystem::path& plot, const std::string& shows,
          const std::function<void()>& work);

/// Pearson's correlation. 0 where either does not vary.
double correlation(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace dsf::bench
