#include "engine/generation/run.h"

#include <chrono>

#include "engine/codec/codec_location.h"
#include "engine/generation/morph_file.h"
#include "engine/training/run_folder.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kStreamsPerBatch = 32;  // bounds memory; wider batches gain little

/// "smalltest-DSWind-seed0", "smalltest-sweep-loop-stereo-seed3".
std::string output_name(const fs::path& model, const GenerationRun& run, uint64_t seed) {
  const fs::path clean = model.lexically_normal();
  const std::string stem =
      (clean.has_filename() ? clean.stem() : clean.parent_path().stem()).string();
  const GenerationRequest& request = run.request;
  const std::string kind = request.morph == "constant"    ? run.plan.class_name
                           : is_morph_file(request.morph) ? fs::path(request.morph).stem().string()
                                                          : request.morph;
  return fmt::format("{}-{}{}{}{}-seed{}", stem, kind, run.continued > 0 ? "-continued" : "",
                     request.loop ? "-loop" : "", request.stereo ? "-stereo" : "", seed);
}

/// The loop that the plan's conditioning becomes, which it makes periodic.
LoopPlan plan_the_loop(GenerationRun& run, const ModelConfig& config, const Codec& codec) {
  run.blended = make_periodic(run.plan.conditioning);
  const DecoderGeometry::Reach& reach = codec.geometry().reach(true);
  return plan_loop(run.plan.conditioning.frames, config.lookback, reach.before, reach.after);
}

/// Of a batch of variations, each `channels` streams.
std::vector<std::vector<Take>> to_variations(std::vector<DacFile> files,
                                             const std::vector<uint64_t>& seeds, size_t channels,
                                             const std::optional<LoopPlan>& loop) {
  std::vector<std::vector<Take>> variations(files.size() / channels);
  for (size_t stream = 0; stream < files.size(); ++stream) {
    Take take{seeds[stream], std::move(files[stream]), {}};
    if (loop) take.seam = find_seam(take.drawn, *loop);
    variations[stream / channels].push_back(std::move(take));
  }
  return variations;
}

std::string summary(const GenerationRun& run, int64_t drawn, double generating, double total) {
  const int64_t files = run.request.count;
  const double heard = static_cast<double>(run.plan.conditioning.frames * files) /
                       static_cast<double>(kFramesPerSecond);
  const std::string variations = files > 1 ? fmt::format("{} variations, ", files) : "";
  return fmt::format(
      "{}{} frames in {:.2f} s ({:.1f} × real time), with decoding and files {:.2f} s ({:.1f} × "
      "real time)",
      variations, drawn, generating, heard / generating, total, heard / total);
}

}  // namespace

GenerationOutcome run_generation(const Context& ctx, const GenerationJob& job,
                                 const std::atomic<bool>& stop) {
  const GenerationRequest& request = job.request;
  OutputSettings output = job.output;
  output.codec = find_codec(job.codec);
  if (request.loop && output.codec.empty()) {
    fail_usage("--loop joins sound, not codes: {}", codec_advice("--codec"));
  }
  output.model = choose_checkpoint(job.model, job.checkpoint);
  TrainedModel model = read_model(output.model);
  GenerationRun run{request, plan_generation(model.info, request), {}, 0, 0};
  std::optional<Codec> codec;
  if (!output.codec.empty()) codec = Codec::load(output.codec, ctx);
  if (request.loop) run.loop = plan_the_loop(run, model.info.config, *codec);
  const Conditioning conditioning =
      run.loop ? repeat(run.plan.conditioning, run.loop->drawn) : run.plan.conditioning;

  const auto begin = Clock::now();
  const auto since = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  const int64_t channels = request.channels(), per_batch = kStreamsPerBatch / channels;
  Progress progress(job.progress, conditioning.frames * channels * request.count);
  progress.message(fmt::format("{}: epoch {}", output.model.string(), model.info.epoch));
  double generating = 0;
  int64_t drawn = 0;  // frames of all streams
  for (int64_t first = 0; first < request.count; first += per_batch) {
    GenerationOptions options{request.sampling, {}, 0};
    for (int64_t i = first; i < std::min(request.count, first + per_batch); ++i) {
      for (const uint64_t seed : request.seeds(i)) options.seeds.push_back(seed);
    }
    const auto streams = static_cast<int64_t>(options.seeds.size());
    const Prime prime = make_prime(request.prime, model.info.config, options.seeds, channels);
    run.continued = options.first_frame = prime.continued;
    const auto batch_begin = Clock::now();
    auto files = generate(
        ctx, model, conditioning, options, prime,
        [&](int64_t frames) { progress.update(drawn + frames * streams, "generating"); }, stop);
    generating += since(batch_begin);
    drawn += conditioning.frames * streams;
    if (stop) return GenerationOutcome::stopped;
    for (const auto& takes :
         to_variations(std::move(files), options.seeds, static_cast<size_t>(channels), run.loop)) {
      const std::string name = output_name(job.model, run, takes.front().seed);
      for (const fs::path& file :
           write_variation(output, name, run, model.info, takes, codec ? &*codec : nullptr)) {
        progress.message("wrote " + file.string());
      }
      if (stop) return GenerationOutcome::stopped;
    }
  }
  progress.message(summary(run, drawn, generating, since(begin)));
  return codec ? GenerationOutcome::done : GenerationOutcome::done_without_sound;
}

}  // namespace dsf
