#include "engine/generation/output.h"

#include <nlohmann/json.hpp>

#include "engine/files/dac_frames.h"
#include "engine/generation/morph_file.h"
#include "engine/generation/sidecar.h"
#include "engine/picture/generation_picture.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// The endings of a variation's files: its codes', a channel's each, then .json, .png and sound's.
std::vector<std::string> codes_endings(bool stereo) {
  if (stereo) return {"-left.dac", "-right.dac"};
  return {".dac"};
}

std::vector<std::string> all_endings(const GenerationRun& run) {
  std::vector<std::string> endings = codes_endings(run.request.stereo);
  endings.insert(endings.end(), {".json", ".png"});
  if (run.codec) endings.emplace_back(audio_extension(run.format));
  return endings;
}

/// Classes may have any name; files may not.
std::string without_separators(std::string name) {
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '/' || c == '\\') c = '_';
  }
  return name;
}

/// One channel for the picture: the mean of all.
std::vector<float> mean_channel(const Audio& audio) {
  const auto channels = static_cast<size_t>(audio.channels);
  std::vector<float> mean(static_cast<size_t>(audio.frames()));
  for (size_t i = 0; i < mean.size(); ++i) {
    for (size_t channel = 0; channel < channels; ++channel) {
      mean[i] += audio.samples[i * channels + channel] / static_cast<float>(channels);
    }
  }
  return mean;
}

void write_picture(const fs::path& path, const std::string& name, const GenerationRun& run,
                   const CheckpointInfo& model, const DacFile& codes, const Audio& audio) {
  const std::vector<float> channel = mean_channel(audio);
  const std::vector<int32_t> tokens = codes_by_frame(codes, codes.n_codebooks);
  GenerationPicture picture;
  picture.title = name;
  picture.seconds = channel.empty() ? run.timing.seconds(codes.frames)
                                    : static_cast<double>(audio.frames()) / audio.sample_rate;
  picture.conditioning = run.plan.conditioning;
  picture.names = model.class_names;
  picture.names.insert(picture.names.end(), model.parameter_names.begin(),
                       model.parameter_names.end());
  picture.num_classes = model.config.num_classes;
  picture.audio = channel;
  picture.sample_rate = audio.sample_rate;
  picture.tokens = tokens;
  picture.num_codebooks = codes.n_codebooks;
  picture.vocab_size = model.config.vocab_size;
  write_generation_picture(path, picture);
}

}  // namespace

std::string title_of(const fs::path& model) {
  fs::path path = fs::absolute(model).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // it ended in a slash
  return (fs::is_directory(path) ? path.filename() : path.stem()).string();
}

std::string output_name(const GenerationRun& run, uint64_t seed) {
  const GenerationRequest& request = run.request;
  std::string kind = is_morph_file(request.morph)  ? fs::path(request.morph).stem().string()
                     : request.morph == "constant" ? run.plan.class_name
                                                   : request.morph;
  if (!kind.empty()) kind.insert(0, 1, '-');
  const int64_t first = run.prime.first_frame;
  return without_separators(fmt::format(
      "{}{}{}{}{}-seed{}", run.title, kind, first > 0 ? fmt::format("-from{}", first) : "",
      request.loop ? "-loop" : "", request.stereo ? "-stereo" : "", seed));
}

std::string free_output_name(const fs::path& folder, const GenerationRun& run,
                             const CheckpointInfo& model, uint64_t seed) {
  const std::string wanted = output_name(run, seed);
  const std::vector<std::string> endings = all_endings(run);
  const auto is_free = [&](const std::string& name) {
    bool exists = false;
    for (const std::string& ending : endings) {
      const fs::path path = folder / (name + ending);
      if (!fs::exists(path)) continue;
      exists = true;
      for (const SourceFile& prime : run.prime.files) {
        if (fs::equivalent(path, prime.path)) return false;
      }
    }
    return !exists || describes(folder / (name + ".json"), describe_run(run, model, seed));
  };
  std::string name = wanted;
  for (int64_t number = 2; !is_free(name); ++number) name = fmt::format("{}-{}", wanted, number);
  return name;
}

std::vector<fs::path> write_variation(const fs::path& folder, const std::string& name,
                                      const GenerationRun& run, const CheckpointInfo& model,
                                      const std::vector<Take>& takes, const Codec* codec,
                                      const DecodeProgress& progress) {
  const auto path = [&](std::string_view ending) { return folder / (name + std::string(ending)); };
  std::vector<fs::path> written;
  const std::vector<std::string> endings = codes_endings(run.request.stereo);
  DSF_CHECK(takes.size() == endings.size(), "{} takes, {} channels", takes.size(), endings.size());
  for (size_t channel = 0; channel < takes.size(); ++channel) {
    written.push_back(path(endings[channel]));
    write_dac(written.back(), heard_codes(takes[channel], run.timing.hop, run.loop));
  }
  written.push_back(path(".json"));
  const fs::path sidecar_path = written.back();
  ordered_json sidecar = describe_run(run, model, takes.front().seed);
  sidecar[kSidecarResult] = describe_result(run, takes, nullptr);
  write_sidecar(sidecar_path, sidecar);
  Audio audio;
  if (codec) {
    std::optional<Sound> sound = render(*codec, takes, run.loop, progress);
    if (!sound) return written;
    written.push_back(path(audio_extension(run.format)));
    write_audio(written.back(), sound->audio, run.format);
    sidecar[kSidecarResult] = describe_result(run, takes, &*sound);
    write_sidecar(sidecar_path, sidecar);
    audio = std::move(sound->audio);
  }
  written.push_back(path(".png"));
  write_picture(written.back(), name, run, model,
                heard_codes(takes.front(), run.timing.hop, run.loop), audio);
  return written;
}

}  // namespace dsf
