#include "engine/codec/decoder_geometry.h"

#include <algorithm>

#include "kernels/common/checks.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf {
namespace {

int64_t floor_divide(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

}  // namespace

DecoderGeometry::DecoderGeometry(const CodecConfig& config) : latent_dim_(config.latent_dim) {
  const auto add_convolution = [&](int64_t dilation, int64_t channels) {
    const int64_t padding = dilation * (kConvolutionKernel - 1) / 2;
    layers_.push_back({false, kConvolutionKernel, 1, dilation, padding, channels});
  };
  add_convolution(1, config.decoder_dim);
  int64_t blocks = 0;
  for (const int64_t rate : config.decoder_rates) {
    const int64_t channels = config.decoder_channels(++blocks);
    layers_.push_back({true, 2 * rate, rate, 1, (rate + 1) / 2, channels});
    for (const int64_t dilation : kDilations) add_convolution(dilation, channels);
  }
  add_convolution(1, 1);

  padded_reach_ = compute_reach(config.hop(), true);
  unpadded_reach_ = compute_reach(config.hop(), false);
}

DecoderGeometry::Reach DecoderGeometry::compute_reach(int64_t hop, bool padded) const {
  Range range{0, hop - 1};
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    range = needed(*layer, range, padded);
  }
  return {std::max<int64_t>(0, -range.first), std::max<int64_t>(0, range.last)};
}

int64_t DecoderGeometry::Layer::length(int64_t frames, bool padded) const {
  const int64_t cut = padded ? padding : 0;
  return transposed ? conv_transpose1d_length(frames, kernel, {stride, cut})
                    : conv1d_length(frames, kernel, {stride, dilation, cut});
}

DecoderGeometry::Range DecoderGeometry::needed(const Layer& layer, Range outputs, bool padded) {
  const int64_t reach = layer.dilation * (layer.kernel - 1);
  const int64_t cut = padded ? layer.padding : 0;
  const auto [first, last] = outputs;
  if (!layer.transposed) return {first - cut, last - cut + reach};
  // Output u has input t under some tap where t·stride ≤ u + cut ≤ t·stride + reach.
  return {-floor_divide(-(first + cut - reach), layer.stride),
          floor_divide(last + cut, layer.stride)};
}

int64_t DecoderGeometry::samples(int64_t frames, bool padded) const {
  int64_t length = frames;
  for (const Layer& layer : layers_) {
    if (!padded && !layer.transposed && length <= layer.dilation * (layer.kernel - 1)) {
      fail("{} latent frames are too few to be decoded without padding", frames);
    }
    length = layer.length(length, padded);
  }
  return length;
}

int64_t DecoderGeometry::largest_activation(int64_t frames) const {
  int64_t largest = frames * latent_dim_;
  for (const bool padded : {true, false}) {
    int64_t length = frames;
    for (const Layer& layer : layers_) {
      if (!padded && !layer.transposed && length <= layer.dilation * (layer.kernel - 1)) break;
      length = layer.length(length, padded);
      largest = std::max(largest, length * layer.channels);
    }
  }
  return largest;
}

}  // namespace dsf
