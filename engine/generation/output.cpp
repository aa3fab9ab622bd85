#include "engine/generation/output.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/audio/loudness.h"
#include "engine/codec/codec.h"
#include "engine/files/atomic_file.h"
#include "engine/picture/generation_picture.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFramesPerChunk = 128;  // some 1.5 s: bounds the decoder's memory

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

/// The codes as the codec and the picture take them: [N, T] and [T, N].
struct Codes {
  std::vector<int32_t> by_codebook, by_frame;

  explicit Codes(const DacFile& file)
      : by_codebook(file.codes.begin(), file.codes.end()), by_frame(file.codes.size()) {
    for (int64_t n = 0; n < file.n_codebooks; ++n) {
      for (int64_t t = 0; t < file.frames; ++t) {
        by_frame[static_cast<size_t>(t * file.n_codebooks + n)] =
            by_codebook[static_cast<size_t>(n * file.frames + t)];
      }
    }
  }
};

Audio decode(const Context& ctx, const GenerationOutput& output, const DacFile& file,
             const Codes& codes) {
  const Codec codec = Codec::load(output.codec, ctx);
  Audio audio;
  audio.sample_rate = static_cast<int>(codec.config().sample_rate);
  audio.samples = codec.decode_chunked({codes.by_codebook.data(), {file.n_codebooks, file.frames}},
                                       kFramesPerChunk);
  normalize_loudness(audio.samples, 1, audio.sample_rate,
                     static_cast<double>(file.metadata.input_db));
  return audio;
}

GenerationPicture picture_of(const GenerationOutput& output, const CheckpointInfo& model,
                             const Conditioning& conditioning, const DacFile& file,
                             const Codes& codes, const Audio& audio) {
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
  picture.tokens = codes.by_frame;
  picture.num_codebooks = file.n_codebooks;
  picture.vocab_size = model.config.vocab_size;
  return picture;
}

}  // namespace

fs::path find_codec(const fs::path& wanted) {
  if (!wanted.empty()) {
    if (!fs::exists(wanted)) fail("{}: codec weights not found", wanted.string());
    return wanted;
  }
  const char* home = std::getenv("HOME");
  if (!home) return {};
  const fs::path cached = fs::path(home) / ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth";
  return fs::exists(cached) ? cached : fs::path();
}

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
  const Codes codes(file);
  Audio audio;
  if (!output.codec.empty()) {
    audio = decode(ctx, output, file, codes);
    written.push_back(path(audio_extension(output.format)));
    write_audio(written.back(), audio, output.format);
  }
  written.push_back(path(".png"));
  write_generation_picture(written.back(),
                           picture_of(output, model, conditioning, file, codes, audio));
  return written;
}

}  // namespace dsf
