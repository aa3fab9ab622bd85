#include "engine/generation/repeat.h"

#include <nlohmann/json.hpp>

#include "engine/generation/morph_file.h"
#include "engine/generation/sidecar.h"
#include "engine/generation/sidecar_reader.h"

namespace dsf {
namespace {

GenerationRequest read_request(const SidecarReader& reader) {
  GenerationRequest request;
  request.class_name = reader.text("class");
  request.parameters = reader.numbers("parameters");
  request.morph = reader.text("morph");
  if (is_morph_file(request.morph)) request.morph_text = reader.text("morph_file");
  request.duration = reader.number("duration");
  request.sampling.top_n = reader.count("top_n");
  request.sampling.temperature = static_cast<float>(reader.number("temperature"));
  request.sampling.min_p = reader.has("min_p") ? static_cast<float>(reader.number("min_p")) : 0.0F;
  if (reader.has("weights")) {
    request.weights = parse_weight_format(reader.text("weights"), "weights");
  }
  request.seed = reader.natural("seed");
  request.stereo = reader.flag("stereo");
  request.loop = reader.flag("loop");
  if (reader.has("batch")) {
    request.seed = reader.part("batch").natural("seed");
    request.count = reader.part("batch").count("count");
  }
  return request;
}

void read_primes(const SidecarReader& reader, const std::string& where, GenerationJob& job) {
  if (!reader.has("prime")) return;
  const SidecarReader prime = reader.part("prime");
  const auto& sources = prime.value("from");
  if (!sources.is_array()) prime.refuse("from", "a list");
  for (const auto& source : sources) {
    if (source.is_string()) {
      job.request.prime.push_back(source.get<std::string>());
      continue;
    }
    const SourceFile file = SidecarReader(source, where + ", prime").source_file();
    job.request.prime.push_back(file.path.string());
    job.expected->primes.push_back(file.identity);
  }
  job.expected->primed_frames = prime.count("frames");
}

}  // namespace

GenerationJob read_repeat(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail("{}: not found", path.string());
  const nlohmann::json sidecar = read_sidecar(path);
  if (sidecar.is_null()) fail("{}: not a side-car of dsf_infer", path.string());
  const SidecarReader reader(sidecar, path.string());
  const SourceFile model = reader.part("model").source_file();
  GenerationJob job;
  job.model = model.path;
  job.title = reader.text("title");
  job.device = reader.text("device");
  if (reader.has("precision")) job.precision = reader.text("precision");  // not in older ones
  job.format = parse_audio_format(reader.text("format"));
  job.request = read_request(reader);
  job.expected.emplace();
  job.expected->sidecar = path;
  job.expected->model = model.identity;
  job.expected->first_frame = reader.count("first_frame");
  job.without_codec = !reader.has("codec");
  if (!job.without_codec) {
    const SourceFile codec = reader.part("codec").source_file();
    job.codec = codec.path;
    job.expected->codec = codec.identity;
  }
  read_primes(reader, path.string(), job);
  return job;
}

}  // namespace dsf
