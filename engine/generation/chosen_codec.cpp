#include "engine/generation/chosen_codec.h"

#include "engine/codec/codec_location.h"
#include "engine/files/bundled_data.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {

ChosenCodec choose_codec(const CodecWish& wish, const CheckpointInfo& model) {
  if (!wish.name.empty()) return {find_codec(wish.name), {}};
  if (wish.none || model.codec.empty()) {
    std::string advice = codec_advice("--codec");
    if (is_bundled(bundled_codec())) {
      advice += fmt::format(
          "; --codec {} is the one that comes with dsf, which knows textures only", kBundledCodec);
    }
    return {wish.none ? std::filesystem::path() : cached_codec(), std::move(advice)};
  }
  try {
    return {find_codec(model.codec), {}};
  } catch (const Error& error) {
    return {
        {},
        fmt::format("the model's codes are of the codec {}: {}", quote(model.codec), error.what())};
  }
}

void check_codec(const std::filesystem::path& file, const ModelConfig& model,
                 const CodecConfig& codec) {
  if (codec.n_codebooks < model.num_codebooks) {
    fail("{}: {}, the model has {}", file.string(), counted(codec.n_codebooks, "codebook"),
         model.num_codebooks);
  }
  if (codec.codebook_size < model.vocab_size) {
    fail("{}: codebooks of {} codes, the model's vocabulary has {}", file.string(),
         codec.codebook_size, model.vocab_size);
  }
}

}  // namespace dsf
