#include "engine/generation/output.h"

#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/generation/morph_file.h"
#include "engine/picture/generation_picture.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

double seconds(int64_t frames) {
  return static_cast<double>(frames) / static_cast<double>(kFramesPerSecond);
}

/// Paths are written so that they hold from any folder; `none` and `random` are no paths.
ordered_json describe_prime(const GenerationRun& run) {
  ordered_json sources = ordered_json::array();
  for (const std::string& source : run.request.prime) {
    sources.push_back(run.continued > 0 ? fs::absolute(source).string() : source);
  }
  return {{"from", sources}, {"continued_frames", run.continued}};
}

ordered_json describe_loop(const GenerationRun& run, const std::vector<Take>& takes) {
  const LoopPlan& loop = *run.loop;
  ordered_json seams = ordered_json::array();
  for (const Take& take : takes) {
    seams.push_back({{"at_seconds", seconds(take.seam->begin % loop.length)},
                     {"first_frame_drawn", take.seam->begin},
                     {"agreeing_codes", take.seam->agreeing},
                     {"of_codes", loop.fade * take.drawn.n_codebooks}});
  }
  return {{"crossfade_frames", loop.fade},
          {"drawn_frames", loop.drawn},
          {"blended_conditioning_frames", run.blended},
          {"seams", seams}};
}

/// Everything that it takes to repeat this variation alone, and what came out.
ordered_json describe(const OutputSettings& output, const GenerationRun& run,
                      const CheckpointInfo& model, const std::vector<Take>& takes) {
  const GenerationRequest& request = run.request;
  const bool file = is_morph_file(request.morph);
  ordered_json sidecar = {
      {"dsf_version", DSF_VERSION},
      {"model", fs::absolute(output.model).string()},
      {"transformer_class", model_class_name(model.config.model_class)},
      {"epoch", model.epoch},
      {"codec", output.codec.empty() ? "" : fs::absolute(output.codec).string()},
      {"class", run.plan.class_name},
      {"parameters", request.parameters},
      {"morph", file ? fs::absolute(request.morph).string() : request.morph}};
  if (file) sidecar["morph_file"] = run.plan.morph_text;
  sidecar["duration"] = run.plan.duration;
  sidecar["frames"] = run.plan.conditioning.frames;
  sidecar["top_n"] = request.sampling.top_n;
  sidecar["temperature"] = request.sampling.temperature;
  sidecar["seed"] = takes.front().seed;
  sidecar["stereo"] = request.stereo;
  // Wider products round differently: the same bits come from the same batch.
  if (request.count > 1) sidecar["batch"] = {{"seed", request.seed}, {"count", request.count}};
  if (!request.prime.empty()) sidecar["prime"] = describe_prime(run);
  if (run.loop) sidecar["loop"] = describe_loop(run, takes);
  return sidecar;
}

void write_sidecar(const fs::path& path, const ordered_json& sidecar) {
  // A path or a morph file's text may hold bytes that are not UTF-8, JSON may not.
  const auto replace = ordered_json::error_handler_t::replace;
  write_file_atomically(path, sidecar.dump(2, ' ', false, replace) + "\n");
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

/// The codes of a file as the picture takes them, [T, N].
std::vector<int32_t> codes_by_frame(const DacFile& file) {
  std::vector<int32_t> codes;
  for (int64_t t = 0; t < file.frames; ++t) {
    for (int64_t n = 0; n < file.n_codebooks; ++n) {
      codes.push_back(file.codes[static_cast<size_t>(n * file.frames + t)]);
    }
  }
  return codes;
}

void write_picture(const fs::path& path, const std::string& name, const GenerationRun& run,
                   const CheckpointInfo& model, const DacFile& codes, const Audio& audio) {
  const std::vector<float> channel = mean_channel(audio);
  const std::vector<int32_t> tokens = codes_by_frame(codes);
  GenerationPicture picture;
  picture.title = name;
  picture.seconds = channel.empty() ? seconds(codes.frames)
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

std::vector<fs::path> write_variation(const OutputSettings& output, const std::string& name,
                                      const GenerationRun& run, const CheckpointInfo& model,
                                      const std::vector<Take>& takes, const Codec* codec) {
  std::error_code error;
  fs::create_directories(output.directory, error);
  if (error) fail("{}: cannot make this folder: {}", output.directory.string(), error.message());
  const auto path = [&](std::string_view ending) {
    return output.directory / (name + std::string(ending));
  };
  std::vector<fs::path> written;
  const bool stereo = takes.size() == 2;
  for (size_t channel = 0; channel < takes.size(); ++channel) {
    written.push_back(path(!stereo ? ".dac" : channel == 0 ? "-left.dac" : "-right.dac"));
    write_dac(written.back(), heard_codes(takes[channel], run.loop));
  }
  written.push_back(path(".json"));
  const fs::path sidecar_path = written.back();
  ordered_json sidecar = describe(output, run, model, takes);
  write_sidecar(sidecar_path, sidecar);
  Sound sound;
  if (codec) {
    sound = render(*codec, takes, run.loop);
    written.push_back(path(audio_extension(output.format)));
    write_audio(written.back(), sound.audio, output.format);
    sidecar["gain_db"] = sound.gain;
    sidecar["peak_gain_db"] = sound.peak_gain;
    write_sidecar(sidecar_path, sidecar);
  }
  written.push_back(path(".png"));
  write_picture(written.back(), name, run, model, heard_codes(takes.front(), run.loop),
                sound.audio);
  return written;
}

}  // namespace dsf
