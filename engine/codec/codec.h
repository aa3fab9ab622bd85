#pragma once
// A Descript Audio Codec model: from sound to latent codes, and from these to sound.
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/codec/codec_config.h"
#include "engine/codec/codec_weights.h"
#include "engine/codec/decoder_geometry.h"
#include "engine/codec/decoder_weights.h"
#include "engine/codec/encoder_geometry.h"
#include "engine/codec/encoder_weights.h"
#include "engine/model/arena.h"
#include "kernels/common/context.h"

namespace dsf {

/// Told during a long decode how many frames are done; false ends it there.
using DecodeProgress = std::function<bool(int64_t frames)>;

/// Gets samples in order, as they are made; they are valid during the call only.
using SampleSink = std::function<void(std::span<const float> samples)>;

/// What a codec is loaded for: either half takes memory of its own. `play` is `decode` for a live
/// stream, which nobody compares with another program's samples: a CPU's convolutions are done by
/// minimal filtering, a third faster at the official size, with two to three times the rounding.
enum class CodecUse { decode, encode, both, play };

class Codec {
 public:
  /// Reads a weights file in the layout of the official ones. An Error names file and place.
  static Codec load(const std::filesystem::path& weights, const Context& ctx = {},
                    CodecUse use = CodecUse::decode);
  explicit Codec(const CodecWeights& weights, const Context& ctx = {},
                 CodecUse use = CodecUse::decode);

  const CodecConfig& config() const { return config_; }
  const DecoderGeometry& geometry() const { return geometry_; }
  const EncoderGeometry& encoder_geometry() const { return encoder_geometry_; }
  const ResidualVq& quantizer() const { return quantizer_; }
  /// The halves; the one that it was not loaded for may not be asked for.
  const DecoderWeights& decoder() const;
  const EncoderWeights& encoder() const;
  const Context& context() const { return ctx_; }

  // Codes and samples are in the host's memory. Codes are [N, T]: N leading codebooks (at most
  // config().n_codebooks), T frames. A code beyond the codebook is an Error that says where.
  // Samples are mono at config().sample_rate.

  /// All frames at once. Memory grows with T.
  std::vector<float> decode(ConstIndexTensor codes, bool padded = true) const;

  /// The same samples, `frames_per_chunk` frames at a time, in bounded memory.
  std::vector<float> decode_chunked(ConstIndexTensor codes, int64_t frames_per_chunk,
                                    bool padded = true) const;

  /// Every `chunk_length` frames by themselves, joined: what `dac` does with a file. Files that
  /// were encoded in windows are decoded without padding (`padding: False` in the file). Memory is
  /// bounded at any `chunk_length`. Where `progress` ends it, the samples made until then.
  std::vector<float> decode_windows(ConstIndexTensor codes, int64_t chunk_length, bool padded,
                                    const DecodeProgress& progress = {}) const;
  /// The same, but `take` gets the samples. False where `progress` ended it.
  bool stream_windows(ConstIndexTensor codes, int64_t chunk_length, bool padded,
                      const SampleSink& take, const DecodeProgress& progress = {}) const;

 private:
  void check_codes(ConstIndexTensor codes) const;

  CodecConfig config_;
  DecoderGeometry geometry_;
  Context ctx_;
  EncoderGeometry encoder_geometry_;
  Arena arena_;
  ResidualVq quantizer_;
  std::optional<DecoderWeights> decoder_;
  std::optional<EncoderWeights> encoder_;
};

}  // namespace dsf
