#include "engine/codec/codec.h"

#include <algorithm>

#include "engine/codec/codec_decoder.h"

namespace dsf {
namespace {

/// Bounds the decoder's memory: some 3 s of sound, on a GPU, which needs more to be busy, 12 s
/// (some 600 MB at the official size).
int64_t frames_per_part(const Context& ctx) {
  return ctx.device == Device::cpu ? 256 : 1024;
}

/// Decodes sequences part by part, each part with the frames around it that it depends on.
class Parts {
 public:
  /// For sequences of at most `max_frames` frames.
  Parts(const Codec& codec, int64_t max_frames, int64_t frames_per_part, bool padded)
      : padded_(padded),
        frames_per_part_(std::min(frames_per_part, max_frames)),
        decoder_(codec,
                 std::min(max_frames, frames_per_part_ + codec.geometry().reach(padded).before +
                                          codec.geometry().reach(padded).after)) {}

  /// Hands over the samples of codes [N, T]; false where `progress` ended it.
  bool decode(ConstIndexTensor codes, const SampleSink& take, const DecodeProgress& progress) {
    const int64_t frames = codes.dim(1);
    for (int64_t first = 0; first < frames; first += frames_per_part_) {
      const int64_t count = std::min(frames_per_part_, frames - first);
      take(decoder_.decode_part(codes, first, count, padded_));
      if (progress && !progress(first + count)) return false;
    }
    return true;
  }

 private:
  bool padded_;
  int64_t frames_per_part_;
  CodecDecoder decoder_;
};

SampleSink append_to(std::vector<float>& result) {
  return [&result](std::span<const float> samples) {
    result.insert(result.end(), samples.begin(), samples.end());
  };
}

}  // namespace

Codec Codec::load(const std::filesystem::path& weights, const Context& ctx, CodecUse use) {
  return Codec(read_codec_weights(weights), ctx, use);
}

Codec::Codec(const CodecWeights& weights, const Context& ctx, CodecUse use)
    : config_(weights.config),
      geometry_(config_),
      ctx_(ctx),
      encoder_geometry_(config_),
      arena_(ctx) {
  LayerLoader load(ctx, arena_, weights, use == CodecUse::play);
  quantizer_ = load_quantizer(load);
  if (use != CodecUse::encode) decoder_ = load_decoder(load);
  if (use == CodecUse::decode || use == CodecUse::play) return;
  Context exactly = ctx;  // what is rounded in the encoder may be nearest to another code
  exactly.precision = Precision::fp32;
  LayerLoader load_exactly(exactly, arena_, weights);
  encoder_ = load_encoder(load_exactly);
}

const DecoderWeights& Codec::decoder() const {
  DSF_CHECK(decoder_.has_value(), "this codec was loaded without its decoder");
  return *decoder_;
}

const EncoderWeights& Codec::encoder() const {
  DSF_CHECK(encoder_.has_value(), "this codec was loaded without its encoder");
  return *encoder_;
}

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

std::vector<float> Codec::decode(ConstIndexTensor codes, bool padded) const {
  check_codes(codes);
  CodecDecoder decoder(*this, codes.dim(1));
  const std::span<const float> samples = decoder.decode(codes, padded);
  return {samples.begin(), samples.end()};
}

std::vector<float> Codec::decode_chunked(ConstIndexTensor codes, int64_t frames_per_chunk,
                                         bool padded) const {
  check_codes(codes);
  DSF_CHECK(frames_per_chunk >= 1, "{} frames per chunk", frames_per_chunk);
  std::vector<float> result;
  Parts(*this, codes.dim(1), frames_per_chunk, padded).decode(codes, append_to(result), {});
  return result;
}

std::vector<float> Codec::decode_windows(ConstIndexTensor codes, int64_t chunk_length, bool padded,
                                         const DecodeProgress& progress) const {
  std::vector<float> result;
  stream_windows(codes, chunk_length, padded, append_to(result), progress);
  return result;
}

bool Codec::stream_windows(ConstIndexTensor codes, int64_t chunk_length, bool padded,
                           const SampleSink& take, const DecodeProgress& progress) const {
  check_codes(codes);
  DSF_CHECK(chunk_length >= 1, "{} frames per chunk", chunk_length);
  const int64_t frames = codes.dim(1), chunk = std::min(chunk_length, frames);
  Parts parts(*this, chunk, frames_per_part(ctx_), padded);
  std::vector<int32_t> window;
  for (int64_t first = 0; first < frames; first += chunk) {
    const int64_t count = std::min(chunk, frames - first);
    window.clear();
    for (int64_t n = 0; n < codes.dim(0); ++n) {
      const int32_t* row = codes.row(n) + first;
      window.insert(window.end(), row, row + count);
    }
    const auto going_on = [&](int64_t done) { return !progress || progress(first + done); };
    if (!parts.decode({window.data(), {codes.dim(0), count}}, take, going_on)) return false;
  }
  return true;
}

}  // namespace dsf
