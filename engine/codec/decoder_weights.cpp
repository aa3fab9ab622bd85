#include "engine/codec/decoder_weights.h"

#include <algorithm>

#include "kernels/conv1d/conv1d.h"

namespace dsf {
namespace {

DecoderBlock load_block(LayerLoader& load, const std::string& name, int64_t inputs, int64_t outputs,
                        int64_t rate) {
  DecoderBlock block;
  block.rate = rate;
  block.alpha = load.alpha(name + ".block.0", inputs);
  block.upsample = load.upsampling(name + ".block.1", inputs, outputs, 2 * rate);
  block.units = load.residual_units(name, 2, outputs);
  return block;
}

}  // namespace

ResidualVq load_quantizer(LayerLoader& load) {
  const CodecWeights& weights = load.weights();
  const CodecConfig& config = weights.config;
  const int64_t count = config.n_codebooks, size = config.codebook_size, dims = config.codebook_dim,
                latents = config.latent_dim;
  for (int64_t m = 0; m < count; ++m) {  // before the sizes of kwargs are allocated
    const std::string name = fmt::format("quantizer.quantizers.{}", m);
    weights.require(name + ".codebook.weight", {size, dims});
    weights.require_weight(name + ".out_proj", {latents, dims, 1});
    weights.require(name + ".out_proj.bias", {latents});
  }
  const auto copy = [](Tensor target, const std::vector<float>& source) {
    std::ranges::copy(source, target.data);
  };
  ResidualVq vq;
  vq.codebooks = load.of_quantizers(
      "quantizer.codebooks", {count, size, dims}, [&](Tensor one, const std::string& name) {
        copy(one, weights.floats(name + ".codebook.weight", {size, dims}));
      });
  vq.w = load.of_quantizers(
      "quantizer.out_proj.weights", {count, dims, latents},
      [&](Tensor one, const std::string& name) {
        std::vector<float> folded = weights.folded_weight(name + ".out_proj", {latents, dims, 1});
        // [L, D] transposed to [D, L]: the layout of a convolution of kernel 1.
        conv1d_prepare(Context{}, one, Tensor(folded.data(), {latents, dims, 1}));
      });
  vq.b = load.of_quantizers("quantizer.out_proj.biases", {count, latents},
                            [&](Tensor one, const std::string& name) {
                              copy(one, weights.floats(name + ".out_proj.bias", {latents}));
                            });
  return vq;
}

DecoderWeights load_decoder(LayerLoader& load) {
  const CodecConfig& config = load.weights().config;
  DecoderWeights decoder;
  decoder.first = load.convolution("decoder.model.0", config.latent_dim, config.decoder_dim,
                                   kConvolutionKernel);
  const auto blocks = static_cast<int64_t>(config.decoder_rates.size());
  for (int64_t i = 0; i < blocks; ++i) {
    decoder.blocks.push_back(load_block(load, fmt::format("decoder.model.{}", i + 1),
                                        config.decoder_channels(i), config.decoder_channels(i + 1),
                                        config.decoder_rates[static_cast<size_t>(i)]));
  }
  const int64_t channels = config.decoder_channels(blocks);
  decoder.alpha = load.alpha(fmt::format("decoder.model.{}", blocks + 1), channels);
  decoder.last = load.convolution(fmt::format("decoder.model.{}", blocks + 2), channels, 1,
                                  kConvolutionKernel);
  return decoder;
}

}  // namespace dsf
