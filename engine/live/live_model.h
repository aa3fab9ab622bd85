#pragma once
// What a live stream plays: a model, the codec of its codes, and what it begins with.
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/codec/codec.h"
#include "engine/generation/code_timing.h"
#include "engine/generation/generate.h"
#include "engine/training/checkpoint.h"

namespace dsf {

struct LiveRequest {
  std::filesystem::path model;  // a run's folder or a checkpoint; empty: the one of dsf
  std::string checkpoint;       // which of the folder (engine/training/run_folder.h)
  std::filesystem::path codec;  // as find_codec takes it; empty: the model's, else the cached one
  GenerationRequest sound;      // class, parameters, sampling and seed that it begins with
  std::function<void(const std::string&)> inform;  // of what takes its time; may be empty
  /// Called, if not empty, with the names of the controls (LiveModel::names) and the number of
  /// classes among them before anything takes its time: for what can be refused by then.
  std::function<void(const std::vector<std::string>& names, size_t classes)> read;
};

struct LiveModel {
  TrainedModel model;
  Codec codec;
  std::vector<float> begin;        // [C], the conditioning
  std::vector<std::string> names;  // [C], of its values: classes, then parameters
  SampleSettings sampling;
  uint64_t seed = 0;
  double gain = 0;  // dB, see live_gain
  CodeTiming timing;
  WeightFormat weights = WeightFormat::fp32;

  /// The nearest whole number of frames.
  int64_t frames(double seconds) const;
};

/// Reads and checks it, and measures its loudness unless that was done before, which `stop` ends.
/// What plan_generation refuses is refused; without a codec there is no sound,
/// an Error that says why there is none.
LiveModel load_live_model(const Context& ctx, const LiveRequest& request,
                          const std::atomic<bool>& stop);

}  // namespace dsf
