#pragma once
// A codec of any size with random weights, in the official layout.
#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "engine/codec/codec_weights.h"
#include "engine/codec/decoder_geometry.h"
#include "kernels/common/parallel.h"
#include "kernels/common/random.h"

namespace dsf::testing {

/// What the decoder reads of a weights file: quantizer and decoder, weight norm as the official
/// files store it. The gains keep activations near 1 at any size. add_encoder() adds what the
/// encoder reads.
class RandomCodec {
 public:
  explicit RandomCodec(const CodecConfig& config, uint64_t seed = 1) : seed_(seed) {
    weights_.file = "random.pth";
    weights_.config = config;
    for (int64_t m = 0; m < config.n_codebooks; ++m) {
      const std::string name = fmt::format("quantizer.quantizers.{}", m);
      add(name + ".codebook.weight", {config.codebook_size, config.codebook_dim}, -1, 1);
      add_normed(name + ".out_proj", {config.latent_dim, config.codebook_dim, 1}, 1);
      add(name + ".out_proj.bias", {config.latent_dim}, -0.1F, 0.1F);
    }
    add_convolution("decoder.model.0", config.latent_dim, config.decoder_dim, kConvolutionKernel);
    const auto blocks = static_cast<int64_t>(config.decoder_rates.size());
    for (int64_t i = 0; i < blocks; ++i) {
      add_block(fmt::format("decoder.model.{}.block", i + 1), config.decoder_channels(i),
                config.decoder_channels(i + 1), config.decoder_rates[static_cast<size_t>(i)]);
    }
    const int64_t channels = config.decoder_channels(blocks);
    add_alpha(fmt::format("decoder.model.{}", blocks + 1), channels);
    add_convolution(fmt::format("decoder.model.{}", blocks + 2), channels, 1, kConvolutionKernel);
  }

  const CodecWeights& weights() const { return weights_; }

  void add_encoder() {
    const CodecConfig& config = weights_.config;
    add_convolution("encoder.block.0", 1, config.encoder_dim, kConvolutionKernel);
    int64_t channels = config.encoder_dim, place = 1;
    for (const int64_t rate : config.encoder_rates) {
      const std::string name = fmt::format("encoder.block.{}.block", place++);
      for (int i = 0; i < 3; ++i) add_unit(fmt::format("{}.{}.block", name, i), channels);
      add_alpha(name + ".3", channels);
      add_convolution(name + ".4", channels, 2 * channels, 2 * rate);
      channels *= 2;
    }
    add_alpha(fmt::format("encoder.block.{}", place), channels);
    add_convolution(fmt::format("encoder.block.{}", place + 1), channels, config.latent_dim,
                    kLatentKernel);
    for (int64_t m = 0; m < config.n_codebooks; ++m) {
      const std::string name = fmt::format("quantizer.quantizers.{}.in_proj", m);
      add_normed(name, {config.codebook_dim, config.latent_dim, 1}, 1);
      add(name + ".bias", {config.codebook_dim}, -0.1F, 0.1F);
    }
  }

 private:
  void add_block(const std::string& name, int64_t inputs, int64_t outputs, int64_t rate) {
    add_alpha(name + ".0", inputs);
    // An output sums 2·inputs products, of rows [outputs, 2·rate] of this norm.
    const double gain =
        std::sqrt(static_cast<double>(outputs * rate) / static_cast<double>(inputs));
    add_normed(name + ".1", {inputs, outputs, 2 * rate}, static_cast<float>(gain));
    add(name + ".1.bias", {outputs}, -0.1F, 0.1F);
    for (int i = 2; i < 5; ++i) add_unit(fmt::format("{}.{}.block", name, i), outputs);
  }

  void add_unit(const std::string& name, int64_t channels) {
    add_alpha(name + ".0", channels);
    add_convolution(name + ".1", channels, channels, kConvolutionKernel);
    add_alpha(name + ".2", channels);
    add_convolution(name + ".3", channels, channels, 1);
  }

  void add_alpha(const std::string& name, int64_t channels) {
    add(name + ".alpha", {1, channels, 1}, 0.5F, 1.5F);
  }

  void add_convolution(const std::string& name, int64_t inputs, int64_t outputs, int64_t kernel) {
    add_normed(name, {outputs, inputs, kernel}, 0.5F);
    add(name + ".bias", {outputs}, -0.1F, 0.1F);
  }

  void add_normed(const std::string& name, const std::vector<int64_t>& shape, float gain) {
    add(name + ".weight_g", {shape[0], 1, 1}, 0.8F * gain, 1.2F * gain);
    add(name + ".weight_v", shape, -1, 1);
  }

  /// Uniform in [low, high).
  void add(const std::string& name, const std::vector<int64_t>& shape, float low, float high) {
    std::vector<float> values(*element_count(shape));
    const RandomStream stream{seed_, static_cast<uint32_t>(weights_.tensors.size()), 0};
    parallel_for(static_cast<int64_t>(values.size()), 16384, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<uint64_t>(begin); i < static_cast<uint64_t>(end); ++i) {
        values[i] = low + (high - low) * to_unit(random_words(stream, i / 4)[i % 4]);
      }
    });
    weights_.tensors[name] = std::make_shared<StoredTensor>(from_floats(shape, values));
  }

  uint64_t seed_;
  CodecWeights weights_;
};

/// Sizes for a test: few channels, three codebooks of 16 codes. The encoder, which is not made,
/// has the same hop.
inline CodecConfig small_codec(std::vector<int64_t> rates, int64_t decoder_dim = 16) {
  CodecConfig config;
  config.encoder_dim = 4;
  config.encoder_rates.assign(rates.rbegin(), rates.rend());
  config.latent_dim = 8;
  config.decoder_dim = decoder_dim;
  config.decoder_rates = std::move(rates);
  config.n_codebooks = 3;
  config.codebook_size = 16;
  config.codebook_dim = 4;
  config.sample_rate = 8000;
  return config;
}

/// Random codes [codebooks, frames] of a codec.
inline std::vector<int32_t> random_codes(const CodecConfig& config, int64_t codebooks,
                                         int64_t frames, uint64_t seed = 1) {
  std::vector<int32_t> codes(static_cast<size_t>(codebooks * frames));
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = static_cast<int32_t>(random_words({seed, 99, 0}, i)[0] %
                                    static_cast<uint32_t>(config.codebook_size));
  }
  return codes;
}

}  // namespace dsf::testing
