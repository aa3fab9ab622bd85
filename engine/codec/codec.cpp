#include "engine/codec/codec.h"

#include <algorithm>

#include "engine/codec/codec_decoder.h"

namespace dsf {

Codec Codec::load(const std::filesystem::path& weights, const Context& ctx) {
  return Codec(read_codec_weights(weights), ctx);
}

Codec::Codec(const CodecWeights& weights, const Context& ctx)
    : config_(weights.config),
      geometry_(config_),
      ctx_(ctx),
      decoder_(prepare_decoder(ctx, arena_, weights)) {}

void Codec::check_codes(ConstIndexTensor codes) const {
  if (codes.rank() != 2 || codes.size() == 0 || codes.dim(0) > config_.n_codebooks) {
    fail("codes {}, expected 1 … {} codebooks and at least one frame", codes.shape.str(),
         config_.n_codebooks);
  }
  for (int64_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >= 0 && codes[i] < config_.codebook_size) continue;
    fail("code {} of codebook {} at frame {} is outside 0 … {}", codes[i], i / codes.dim(1),
         i % codes.dim(1), config_.codebook_size - 1);
  }
}

std::vector<float> Codec::decode(ConstIndexTensor codes) const {
  check_codes(codes);
  CodecDecoder decoder(*this, codes.dim(1));
  const std::span<const float> samples = decoder.decode(codes);
  return {samples.begin(), samples.end()};
}

std::vector<float> Codec::decode_chunked(ConstIndexTensor codes, int64_t frames_per_chunk) const {
  check_codes(codes);
  DSF_CHECK(frames_per_chunk >= 1, "{} frames per chunk", frames_per_chunk);
  const int64_t frames = codes.dim(1);
  const int64_t chunk = std::min(frames_per_chunk, frames);
  CodecDecoder decoder(
      *this, std::min(frames, chunk + geometry_.frames_before() + geometry_.frames_after()));
  std::vector<float> result;
  result.reserve(static_cast<size_t>(geometry_.samples(frames, true)));
  for (int64_t first = 0; first < frames; first += chunk) {
    const auto samples = decoder.decode_part(codes, first, std::min(chunk, frames - first));
    result.insert(result.end(), samples.begin(), samples.end());
  }
  return result;
}

std::vector<float> Codec::decode_windows(ConstIndexTensor codes, int64_t chunk_length,
                                         bool padded) const {
  check_codes(codes);
  DSF_CHECK(chunk_length >= 1, "{} frames per chunk", chunk_length);
  const int64_t frames = codes.dim(1);
  const int64_t chunk = std::min(chunk_length, frames);
  CodecDecoder decoder(*this, chunk);
  std::vector<float> result;
  for (int64_t first = 0; first < frames; first += chunk) {
    const auto samples =
        decoder.decode_window(codes, first, std::min(chunk, frames - first), padded);
    result.insert(result.end(), samples.begin(), samples.end());
  }
  return result;
}

}  // namespace dsf
