#include "engine/codec/encoder_weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/checks.h"
#include "kernels/conv1d/conv1d.h"

namespace dsf {
namespace {

EncoderBlock load_block(LayerLoader& load, const std::string& name, int64_t channels,
                        int64_t rate) {
  EncoderBlock block;
  block.rate = rate;
  block.units = load.residual_units(name, 0, channels);
  block.alpha = load.alpha(name + ".block.3", channels);
  block.downsample = load.convolution(name + ".block.4", channels, 2 * channels, 2 * rate);
  return block;
}

/// Codewords [V, D] to directions [D, V]. One of length 0 becomes a direction of zeros.
void write_directions(Tensor directions, const std::vector<float>& codewords) {
  const int64_t dims = directions.dim(1), size = directions.dim(2);
  for (int64_t v = 0; v < size; ++v) {
    double sum = 0;
    for (int64_t d = 0; d < dims; ++d) {
      const double value = codewords[static_cast<size_t>(v * dims + d)];
      sum += value * value;
    }
    const double length = std::max(std::sqrt(sum), 1e-12);
    for (int64_t d = 0; d < dims; ++d) {
      directions[d * size + v] =
          static_cast<float>(codewords[static_cast<size_t>(v * dims + d)] / length);
    }
  }
}

ResidualVqSearch load_search(LayerLoader& load) {
  const CodecWeights& weights = load.weights();
  const CodecConfig& config = weights.config;
  const int64_t count = config.n_codebooks, size = config.codebook_size, dims = config.codebook_dim,
                latents = config.latent_dim;
  if (dims > kMaxCodewordDims) {
    fail("{}: codebook_dim is {}; sound can be encoded with at most {}", weights.file, dims,
         kMaxCodewordDims);
  }
  for (int64_t m = 0; m < count; ++m) {  // before the sizes of kwargs are allocated
    const std::string name = fmt::format("quantizer.quantizers.{}.in_proj", m);
    weights.require_weight(name, {dims, latents, 1});
    weights.require(name + ".bias", {dims});
  }
  ResidualVqSearch search;
  search.w = load.of_quantizers(
      "quantizer.in_proj.weights", {count, latents, dims},
      [&](Tensor one, const std::string& name) {
        std::vector<float> folded = weights.folded_weight(name + ".in_proj", {dims, latents, 1});
        // [D, L] transposed to [L, D]: the layout of a convolution of kernel 1.
        conv1d_prepare(Context{}, one, Tensor(folded.data(), {dims, latents, 1}));
      });
  search.b = load.of_quantizers(
      "quantizer.in_proj.biases", {count, dims}, [&](Tensor one, const std::string& name) {
        std::ranges::copy(weights.floats(name + ".in_proj.bias", {dims}), one.data);
      });
  search.directions = load.of_quantizers(
      "quantizer.directions", {count, dims, size}, [&](Tensor one, const std::string& name) {
        write_directions(one, weights.floats(name + ".codebook.weight", {size, dims}));
      });
  return search;
}

}  // namespace

EncoderWeights load_encoder(LayerLoader& load) {
  const CodecConfig& config = load.weights().config;
  EncoderWeights encoder;
  encoder.first = load.convolution("encoder.block.0", 1, config.encoder_dim, kConvolutionKernel);
  int64_t channels = config.encoder_dim, place = 1;
  for (const int64_t rate : config.encoder_rates) {
    encoder.blocks.push_back(
        load_block(load, fmt::format("encoder.block.{}", place++), channels, rate));
    channels *= 2;
  }
  encoder.alpha = load.alpha(fmt::format("encoder.block.{}", place), channels);
  encoder.last = load.convolution(fmt::format("encoder.block.{}", place + 1), channels,
                                  config.latent_dim, kLatentKernel);
  encoder.search = load_search(load);
  return encoder;
}

}  // namespace dsf
