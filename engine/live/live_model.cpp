#include "engine/live/live_model.h"

#include <cmath>

#include "engine/files/bundled_data.h"
#include "engine/generation/chosen_codec.h"
#include "engine/live/live_gain.h"
#include "engine/training/run_folder.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

fs::path find_model(const LiveRequest& request) {
  if (!request.model.empty()) return choose_checkpoint(request.model, request.checkpoint);
  if (!request.checkpoint.empty()) {
    fail_usage("--checkpoint {}: of a run's folder, and no MODEL is given", request.checkpoint);
  }
  if (!is_bundled(bundled_model())) {
    fail("there is no bundled model to play: {}", describe_missing(bundled_model()));
  }
  return bundled_model();
}

}  // namespace

int64_t LiveModel::frames(double seconds) const {
  return std::llround(seconds * static_cast<double>(timing.sample_rate) /
                      static_cast<double>(timing.hop));
}

LiveModel load_live_model(const Context& ctx, const LiveRequest& request,
                          const std::atomic<bool>& stop) {
  const fs::path file = find_model(request);
  TrainedModel model = read_model(file);
  const ChosenCodec chosen = choose_codec({request.codec}, model.info);
  if (chosen.file.empty()) fail("no sound: {}", chosen.absent);
  LiveModel live{
      std::move(model), Codec::load(chosen.file, ctx, CodecUse::play), {}, {}, {}, 0, 0, {}};
  live.timing = CodeTiming(live.codec);
  const CheckpointInfo& info = live.model.info;
  check_codec(chosen.file, info.config, live.codec.config());
  GenerationRequest first = request.sound;
  first.duration = live.timing.seconds(1);
  const GenerationPlan plan = plan_generation(info, first, live.timing.frames_per_second());
  live.begin.assign(plan.conditioning.frame(0), plan.conditioning.frame(1));
  live.names = info.class_names;
  live.names.insert(live.names.end(), info.parameter_names.begin(), info.parameter_names.end());
  live.sampling = request.sound.sampling.over(info.sampling);
  check_weight_format(request.sound.weights, live.model.info.config, ctx);
  live.weights = request.sound.weights;
  live.seed = request.sound.seed;
  if (request.read) request.read(live.names, info.class_names.size());
  const auto measuring = [&] {
    if (!request.inform) return;
    request.inform(
        "measuring how loud the model is (kept in the user's cache folder, if it can be)");
  };
  live.gain = live_gain(live.model, file, live.codec, chosen.file, measuring, stop);
  return live;
}

}  // namespace dsf
