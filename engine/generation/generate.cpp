#include "engine/generation/generate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/files/quote.h"
#include "engine/generation/morph_file.h"

namespace dsf {
namespace {

constexpr double kDefaultDuration = 10;
constexpr int64_t kMaxCount = 10'000;

/// The file of one stream: codes [T, B, N] of the batch.
DacFile to_dac(const std::vector<uint16_t>& codes, int64_t stream, int64_t streams,
               int64_t codebooks, const CodeTiming& timing) {
  DacFile file;
  file.channels = 1;
  file.n_codebooks = codebooks;
  file.frames = static_cast<int64_t>(codes.size()) / (streams * codebooks);
  file.codes.resize(codes.size() / static_cast<size_t>(streams));
  for (int64_t t = 0; t < file.frames; ++t) {
    for (int64_t n = 0; n < codebooks; ++n) {
      file.codes[static_cast<size_t>(n * file.frames + t)] =
          codes[static_cast<size_t>((t * streams + stream) * codebooks + n)];
    }
  }
  file.metadata.input_db = kGeneratedLoudness;
  file.metadata.original_length = std::max<int64_t>(1, file.frames * timing.hop - timing.missing);
  file.metadata.sample_rate = timing.sample_rate;
  file.metadata.chunk_length = file.frames;
  file.metadata.channels = 1;
  file.metadata.padding = true;
  return file;
}

/// What the command line fixes and the file moves, too, can be meant by neither.
void check_overridden(const MorphFile& morph, const CheckpointInfo& model,
                      const GenerationRequest& request) {
  const auto classes = model.class_names.size();
  if (!request.class_name.empty() && morph.begins_with_classes(classes)) {
    fail_usage("--class {}: {} begins with classes of its own; leave one of them out",
               request.class_name, request.morph);
  }
  for (size_t i = 0; i < model.parameter_names.size(); ++i) {
    const std::string& name = model.parameter_names[i];
    const bool moved = std::ranges::any_of(
        morph.points, [&](const MorphPoint& point) { return point.values.contains(classes + i); });
    if (moved && request.parameters.contains(name)) {
      fail_usage("--param {}: {} sets {} itself; leave one of them out", name, request.morph, name);
    }
  }
}

void check_morph(const GenerationRequest& request) {
  const std::string& name = request.morph;
  if (is_morph_file(name)) return;
  const auto names = morph_names();
  if (std::ranges::find(names, name) == names.end()) {
    fail_usage("the morph '{}' is not known; known: {}, or a file ending in .yaml, .yml or .csv",
               name, fmt::join(names, ", "));
  }
  if (!request.class_name.empty() && !uses_class(name)) {
    fail_usage("--class {}: the morph '{}' has classes of its own; leave one of them out",
               request.class_name, name);
  }
}

void check_numbers(const GenerationRequest& request, const SampleSettings& sampling) {
  if (request.count < 1 || request.count > kMaxCount) {
    fail_usage("--count {}: must be from 1 to {}", request.count, kMaxCount);
  }
  const auto streams = static_cast<uint64_t>(request.count * request.channels());
  if (request.seed > std::numeric_limits<uint64_t>::max() - (streams - 1)) {
    fail_usage("--seed {}: there are no {} seeds from there on", request.seed, streams);
  }
  check_sampling(sampling);
}

int64_t frames_of(double duration, int64_t frames_per_second) {
  if (!(duration > 0) || duration > 86'400) {
    fail_usage("--duration {}: must be above 0 and at most 86400 (a day)", duration);
  }
  return std::max<int64_t>(1, std::llround(duration * static_cast<double>(frames_per_second)));
}

}  // namespace

std::vector<uint64_t> GenerationRequest::seeds(int64_t variation) const {
  std::vector<uint64_t> seeds;
  for (int64_t channel = 0; channel < channels(); ++channel) {
    seeds.push_back(seed + static_cast<uint64_t>(variation * channels() + channel));
  }
  return seeds;
}

void check_weight_format(WeightFormat format, const ModelConfig& config, const Context& ctx) {
  if (format == WeightFormat::fp32) return;
  if (config.model_class != ModelClass::streaming) {
    fail_usage("--weights {} with a {}: expected fp32, as its window is recomputed for every frame",
               name_of(format), model_class_name(config.model_class));
  }
  if (ctx.device != Device::cpu) {
    fail_usage("--weights {} with --device {}: expected fp32", name_of(format),
               name_of(ctx.device));
  }
}

GenerationPlan plan_generation(const CheckpointInfo& model, const GenerationRequest& request,
                               int64_t frames_per_second) {
  check_numbers(request, request.sampling.over(model.sampling));
  check_morph(request);
  const int64_t class_index =
      request.class_name.empty() ? 0 : find_class(model.class_names, request.class_name);
  const auto make = [&](std::string_view name, int64_t frames) {
    return make_morph(name, frames, model.class_names, model.parameter_names, class_index,
                      request.parameters);
  };
  GenerationPlan plan;
  const bool file = is_morph_file(request.morph);
  if (!model.class_names.empty() && (file || uses_class(request.morph))) {
    plan.class_name = model.class_names[static_cast<size_t>(class_index)];
  }
  plan.duration = request.duration.value_or(kDefaultDuration);
  if (!file) {
    plan.conditioning = make(request.morph, frames_of(plan.duration, frames_per_second));
    return plan;
  }
  MorphFile morph = request.morph_text.empty()
                        ? read_morph_file(request.morph, model.class_names, model.parameter_names)
                        : parse_morph_file(request.morph_text, request.morph, model.class_names,
                                           model.parameter_names);
  check_overridden(morph, model, request);
  const double own = morph.unit == MorphFile::Unit::seconds ? morph.points.back().time : 0;
  if (!request.duration && own > 0) plan.duration = own;
  if (morph.begins_with_classes(model.class_names.size())) plan.class_name.clear();
  plan.conditioning = follow_morph(morph, frames_of(plan.duration, frames_per_second),
                                   static_cast<double>(frames_per_second),
                                   make("constant", 1).values, model.class_names.size());
  plan.morph_text = std::move(morph.text);
  return plan;
}

std::vector<std::string> unusual_parameters(const std::vector<std::string>& names,
                                            const Conditioning& conditioning) {
  std::vector<std::string> sentences;
  const int64_t classes = conditioning.size - std::ssize(names);
  for (int64_t p = 0; p < std::ssize(names); ++p) {
    std::vector<float> values;
    for (int64_t frame = 0; frame < conditioning.frames; ++frame) {
      values.push_back(conditioning.frame(frame)[classes + p]);
    }
    const auto [low, high] = std::ranges::minmax(values);
    if (low >= 0 && high <= 1) continue;
    sentences.push_back(fmt::format(
        "the parameter {} is {}: most models are trained on 0 to 1, and what one makes of values "
        "that it was not trained on may be anything",
        quote(names[static_cast<size_t>(p)]),
        low == high ? fmt::to_string(low) : fmt::format("{} to {}", low, high)));
  }
  return sentences;
}

std::vector<DacFile> generate(const Context& ctx, TrainedModel& model,
                              const Conditioning& conditioning, const GenerationOptions& options,
                              const Prime& prime, const CodeTiming& timing,
                              const std::function<void(int64_t)>& frame_done,
                              const std::atomic<bool>& stop) {
  const auto generator = make_generator(model.info.config, model.table, model.weights_view(),
                                        options, prime.view(), ctx);
  const auto streams = static_cast<int64_t>(options.seeds.size());
  std::vector<uint16_t> codes;  // [T, B, N]
  int64_t pending = 0;
  for (int64_t frame = 0; frame < conditioning.frames && !stop; ++frame) {
    generator->draw(
        conditioning.frame(std::min(frame + generator->lookahead(), conditioning.frames - 1)));
    if (++pending < generator->capacity() && frame + 1 < conditioning.frames) continue;
    pending = 0;
    const ConstIndexTensor drawn = generator->fetch();
    for (int64_t i = 0; i < drawn.size(); ++i) codes.push_back(static_cast<uint16_t>(drawn[i]));
    frame_done(frame + 1);
  }
  std::vector<DacFile> files;
  for (int64_t stream = 0; stream < streams; ++stream) {
    files.push_back(to_dac(codes, stream, streams, model.info.config.num_codebooks, timing));
  }
  return files;
}

}  // namespace dsf
