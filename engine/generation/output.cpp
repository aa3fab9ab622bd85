#include "engine/generation/output.h"

#include <nlohmann/json.hpp>

#include "engine/codec/dac_decoding.h"
#include "engine/files/atomic_file.h"
#include "engine/picture/generation_picture.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

std::string describe(const GenerationRequest& request, const GenerationOutput& output,
                     const CheckpointInfo& model, int64_t frames) {
  const nlohmann::ordered_json sidecar = {
      {"dsf_version", DSF_VERSION},
      {"model", fs::absolute(output.model).string()},
      {"transformer_class", model_class_name(model.config.model_class)},
      {"epoch", model.epoch},
      {"codec", output.codec.empty() ? "" : fs::absolute(output.codec).string()},
      {"class", request.class_name.empty() && !model.class_names.empty() ? model.class_names[0]
                                                                         : request.class_name},
      {"parameters", request.parameters},
      {"morph", request.morph},
      {"duration", request.duration},
      {"frames", frames},
      {"top_n", request.options.sampling.top_n},
      {"temperature", request.options.sampling.temperature},
      {"seed", request.options.seed}};
  return sidecar.dump(2) + "\n";
}

/// The codes [T, N], as the picture takes them.
std::vector<int32_t> codes_by_frame(const DacFile& file) {
  std::vector<int32_t> codes(file.codes.size());
  for (int64_t n = 0; n < file.n_codebooks; ++n) {
    for (int64_t t = 0; t < file.frames; ++t) {
      codes[static_cast<size_t>(t * file.n_codebooks + n)] =
          file.codes[static_cast<size_t>(n * file.frames + t)];
    }
  }
  return codes;
}

GenerationPicture picture_of(const GenerationOutput& output, const CheckpointInfo& model,
                             const Conditioning& conditioning, const DacFile& file,
                             const std::vector<int32_t>& codes, const Audio& audio) {
  GenerationPicture picture;
  picture.title = output.name;
  picture.seconds = audio.samples.empty()
                        ? static_cast<double>(file.frames) / static_cast<double>(kFramesPerSecond)
                        : static_cast<double>(audio.frames()) / audio.sample_rate;
  picture.conditioning = conditioning;
  picture.names = model.class_names;
  picture.names.insert(picture.names.end(), model.parameter_names.begin(),
                       model.parameter_names.end());
  picture.num_classes = model.config.num_classes;
  picture.audio = audio.samples;
  picture.sample_rate = audio.sample_rate;
  picture.tokens = codes;
  picture.num_codebooks = file.n_codebooks;
  picture.vocab_size = model.config.vocab_size;
  return picture;
}

}  // namespace

std::vector<fs::path> write_generation(const Context& ctx, const GenerationOutput& output,
                                       const GenerationRequest& request,
                                       const CheckpointInfo& model,
                                       const Conditioning& conditioning, const DacFile& file) {
  std::error_code error;
  fs::create_directories(output.directory, error);
  if (error) fail("{}: cannot make this folder: {}", output.directory.string(), error.message());
  const auto path = [&](std::string_view extension) {
    return output.directory / (output.name + std::string(extension));
  };
  std::vector<fs::path> written{path(".dac")};
  write_dac(written.back(), file);
  written.push_back(path(".json"));
  write_file_atomically(written.back(), describe(request, output, model, file.frames));
  const std::vector<int32_t> codes = codes_by_frame(file);
  Audio audio;
  if (!output.codec.empty()) {
    audio = decode_dac(Codec::load(output.codec, ctx), file);
    written.push_back(path(audio_extension(output.format)));
    write_audio(written.back(), audio, output.format);
  }
  written.push_back(path(".png"));
  write_generation_picture(written.back(),
                           picture_of(output, model, conditioning, file, codes, audio));
  return written;
}

}  // namespace dsf
