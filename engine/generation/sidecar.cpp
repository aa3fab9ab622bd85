#include "engine/generation/sidecar.h"

#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/bounded_json.h"
#include "engine/generation/morph_file.h"
#include "engine/generation/origin.h"
#include "engine/generation/sidecar_reader.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kMaxBytes = uint64_t{64} << 20;  // a morph file of 4 MiB, escaped, fits
constexpr size_t kMaxEvents = 20'000;               // of parsing: some 20 are a seam, 2 a parameter

ordered_json describe(const SourceFile& file) {
  return {
      {"file", file.path.string()}, {"bytes", file.identity.bytes}, {"hash", file.identity.hash}};
}

ordered_json describe_prime(const GenerationRun& run) {
  ordered_json sources = ordered_json::array();
  if (run.prime.files.empty()) {
    for (const std::string& source : run.request.prime) sources.push_back(source);
  }
  for (const SourceFile& file : run.prime.files) sources.push_back(describe(file));
  return {{"from", sources}, {"frames", run.prime.frames}};
}

std::string format_name(AudioFormat format) {
  for (const char* name : {"wav16", "wav24", "wavfloat"}) {
    if (parse_audio_format(name) == format) return name;
  }
  return "flac";
}

/// As a file holds it: a path or a morph file's text may have bytes that are not UTF-8, JSON may
/// not.
std::string to_text(const ordered_json& sidecar) {
  return sidecar.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

ordered_json describe_run(const GenerationRun& run, const CheckpointInfo& model, uint64_t seed) {
  const GenerationRequest& request = run.request;
  const bool file = is_morph_file(request.morph);
  ordered_json sidecar = {{"dsf_version", DSF_VERSION},
                          {"title", run.title},
                          {"model", describe(run.model)},
                          {"transformer_class", model_class_name(model.config.model_class)},
                          {"epoch", model.epoch},
                          {"codec", run.codec ? describe(*run.codec) : ordered_json()},
                          {"device", name_of(run.device)},
                          {"precision", name_of(run.precision)},
                          {"format", format_name(run.format)},
                          {"class", run.plan.class_name},
                          {"parameters", request.parameters},
                          {"morph", file ? fs::absolute(request.morph).string() : request.morph}};
  if (file) sidecar["morph_file"] = run.plan.morph_text;
  // Not in older ones, which are of float32.
  if (request.weights != WeightFormat::fp32) sidecar["weights"] = name_of(request.weights);
  sidecar["duration"] = run.plan.duration;
  const SampleSettings sampling = request.sampling.over(model.sampling);
  sidecar["top_n"] = sampling.top_n;
  sidecar["temperature"] = sampling.temperature;
  if (sampling.min_p > 0) sidecar["min_p"] = sampling.min_p;
  sidecar["seed"] = seed;
  sidecar["stereo"] = request.stereo;
  sidecar["loop"] = request.loop;
  // Wider products round differently: the same bits come from the same batch.
  if (request.count > 1) sidecar["batch"] = {{"seed", request.seed}, {"count", request.count}};
  if (!request.prime.empty()) sidecar["prime"] = describe_prime(run);
  sidecar["frames"] = run.plan.conditioning.frames;
  sidecar["first_frame"] = run.prime.first_frame;
  sidecar["next_frame"] = run.prime.first_frame + run.drawn_frames();
  return sidecar;
}

ordered_json describe_result(const GenerationRun& run, const std::vector<Take>& takes,
                             const Sound* sound) {
  ordered_json result = ordered_json::object();
  if (sound) {
    result["gain_db"] = sound->gain;
    result["peak_gain_db"] = sound->peak_gain;
  }
  if (!run.loop) return result;
  const LoopPlan& loop = *run.loop;
  ordered_json seams = ordered_json::array();
  for (const Take& take : takes) {
    seams.push_back({{"at_seconds", run.timing.seconds(take.seam->begin % loop.length)},
                     {"first_frame_drawn", take.seam->begin},
                     {"agreeing_codes", take.seam->agreeing},
                     {"of_codes", loop.fade * take.drawn.n_codebooks}});
  }
  result["loop"] = {{"crossfade_frames", loop.fade},
                    {"drawn_frames", loop.drawn},
                    {"blended_conditioning_frames", run.blended},
                    {"seams", seams}};
  return result;
}

void write_sidecar(const fs::path& path, const ordered_json& sidecar) {
  write_file_atomically(path, to_text(sidecar));
}

json read_sidecar(const fs::path& path) {
  std::error_code unknown;
  if (!fs::is_regular_file(path, unknown)) return {};
  const std::vector<std::byte> bytes = read_file(path, kMaxBytes);
  json sidecar =
      parse_bounded_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kMaxEvents);
  if (!sidecar.is_object() || !sidecar.contains("dsf_version")) return {};
  return sidecar;
}

bool describes(const fs::path& path, const ordered_json& described) {
  json sidecar = read_sidecar(path);
  if (sidecar.is_null()) return false;
  sidecar.erase(kSidecarResult);
  return sidecar == json::parse(to_text(described));
}

}  // namespace dsf
