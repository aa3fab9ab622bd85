#pragma once
// The sizes of a Descript Audio Codec model, as its weights file states them.
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/files/pickle.h"

namespace dsf {

struct CodecConfig {
  int64_t encoder_dim = 0;
  std::vector<int64_t> encoder_rates;
  int64_t latent_dim = 0;
  int64_t decoder_dim = 0;
  std::vector<int64_t> decoder_rates;
  int64_t n_codebooks = 0;
  int64_t codebook_size = 0;
  int64_t codebook_dim = 0;
  int64_t sample_rate = 0;  // Hz

  /// Audio samples per latent frame.
  int64_t hop() const;
  /// Channels of the activations after `blocks` of the decoder's blocks.
  int64_t decoder_channels(int64_t blocks) const { return decoder_dim >> blocks; }

  bool operator==(const CodecConfig&) const = default;
};

/// From the dict metadata.kwargs of a weights file; what is not a size (quantizer_dropout …) is
/// ignored. An Error names `file`, the key, what was found and what was expected.
CodecConfig parse_codec_config(const PickleValue& kwargs, std::string_view file);

/// Raises an Error that names the first size that cannot be; `file` begins the message.
void check_codec_config(const CodecConfig& config, std::string_view file);

}  // namespace dsf
