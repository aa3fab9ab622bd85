#include "engine/generation/generate.h"

#include <cmath>

namespace dsf {
namespace {

// What upstream writes into the files it generates.
constexpr int64_t kSampleRate = 44100;
constexpr int64_t kHop = 512;
constexpr float kInputDb = -20.0F;

DacFile to_dac(const std::vector<uint16_t>& frames_of_codes, int64_t codebooks) {
  DacFile file;
  file.channels = 1;
  file.n_codebooks = codebooks;
  file.frames = static_cast<int64_t>(frames_of_codes.size()) / codebooks;
  file.codes.resize(frames_of_codes.size());
  for (int64_t t = 0; t < file.frames; ++t) {
    for (int64_t n = 0; n < codebooks; ++n) {
      file.codes[static_cast<size_t>(n * file.frames + t)] =
          frames_of_codes[static_cast<size_t>(t * codebooks + n)];
    }
  }
  file.metadata.input_db = kInputDb;
  file.metadata.original_length = file.frames * kHop;
  file.metadata.sample_rate = kSampleRate;
  file.metadata.chunk_length = file.frames;
  file.metadata.channels = 1;
  file.metadata.padding = true;
  return file;
}

}  // namespace

Conditioning plan_conditioning(const CheckpointInfo& model, const GenerationRequest& request) {
  if (!(request.duration > 0) || request.duration > 86'400) {
    fail_usage("a duration of {} s; it must be above 0 and at most a day", request.duration);
  }
  const auto frames =
      std::max<int64_t>(1, std::llround(request.duration * static_cast<double>(kFramesPerSecond)));
  const int64_t class_index =
      request.class_name.empty() ? 0 : find_class(model.class_names, request.class_name);
  return make_morph(request.morph, frames, model.class_names, model.parameter_names, class_index,
                    request.parameters);
}

DacFile generate(const Context& ctx, TrainedModel& model, const Conditioning& conditioning,
                 const GenerationOptions& options, const std::function<void(int64_t)>& frame_done,
                 const std::atomic<bool>& stop) {
  const auto generator =
      make_generator(model.info.config, model.table, model.weights_view(), options);
  std::vector<uint16_t> codes;
  for (int64_t frame = 0; frame < conditioning.frames && !stop; ++frame) {
    const ConstIndexTensor drawn = generator->next(ctx, conditioning.frame(frame));
    for (int64_t n = 0; n < drawn.size(); ++n) codes.push_back(static_cast<uint16_t>(drawn[n]));
    frame_done(frame + 1);
  }
  return to_dac(codes, model.info.config.num_codebooks);
}

}  // namespace dsf
