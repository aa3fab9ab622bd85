#include "engine/codec/time_layer.h"

#include "engine/codec/layer_loader.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf {
namespace {

TimeLayer convolution(int64_t kernel, int64_t dilation, int64_t channels) {
  return {false, kernel, 1, dilation, dilation * (kernel - 1) / 2, channels};
}

void add_residual_units(std::vector<TimeLayer>& layers, int64_t channels) {
  for (const int64_t dilation : kDilations) {
    layers.push_back(convolution(kConvolutionKernel, dilation, channels));
  }
}

}  // namespace

int64_t TimeLayer::length(int64_t frames, bool padded) const {
  const int64_t cut = padded ? padding : 0;
  return transposed ? conv_transpose1d_length(frames, kernel, {stride, cut})
                    : conv1d_length(frames, kernel, {stride, dilation, cut});
}

std::vector<TimeLayer> encoder_layers(const CodecConfig& config) {
  std::vector<TimeLayer> layers = {convolution(kConvolutionKernel, 1, config.encoder_dim)};
  int64_t channels = config.encoder_dim;
  for (const int64_t rate : config.encoder_rates) {
    add_residual_units(layers, channels);
    channels *= 2;
    layers.push_back({false, 2 * rate, rate, 1, (rate + 1) / 2, channels});
  }
  layers.push_back(convolution(kLatentKernel, 1, config.latent_dim));
  return layers;
}

std::vector<TimeLayer> decoder_layers(const CodecConfig& config) {
  std::vector<TimeLayer> layers = {convolution(kConvolutionKernel, 1, config.decoder_dim)};
  int64_t blocks = 0;
  for (const int64_t rate : config.decoder_rates) {
    const int64_t channels = config.decoder_channels(++blocks);
    layers.push_back({true, 2 * rate, rate, 1, (rate + 1) / 2, channels});
    add_residual_units(layers, channels);
  }
  layers.push_back(convolution(kConvolutionKernel, 1, 1));
  return layers;
}

}  // namespace dsf
