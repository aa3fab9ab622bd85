#pragma once
// Codecs that benches decode with.
#include "engine/codec/codec_config.h"

namespace dsf::bench {

struct CodecSize {
  const char* name;
  int64_t encoder_dim, decoder_dim, codebooks;
};
inline constexpr CodecSize kCodecSizes[] = {{"official", 64, 1536, 9}, {"pilot", 8, 256, 4}};

inline CodecConfig config_of(const CodecSize& size) {
  CodecConfig config;
  config.encoder_dim = size.encoder_dim;
  config.encoder_rates = {2, 4, 8, 8};
  config.latent_dim = size.encoder_dim << config.encoder_rates.size();
  config.decoder_dim = size.decoder_dim;
  config.decoder_rates = {8, 8, 4, 2};
  config.n_codebooks = size.codebooks;
  config.codebook_size = 1024;
  config.codebook_dim = 8;
  config.sample_rate = 44100;
  return config;
}

}  // namespace dsf::bench
