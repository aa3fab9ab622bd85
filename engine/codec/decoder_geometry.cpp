#include "engine/codec/decoder_geometry.h"

#include <algorithm>

#include "kernels/common/checks.h"

namespace dsf {
DecoderGeometry::DecoderGeometry(const CodecConfig& config)
    : layers_(decoder_layers(config)), latent_dim_(config.latent_dim) {
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

DecoderGeometry::Range DecoderGeometry::needed(const TimeLayer& layer, Range outputs, bool padded) {
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
  for (const TimeLayer& layer : layers_) {
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
    for (const TimeLayer& layer : layers_) {
      if (!padded && !layer.transposed && length <= layer.dilation * (layer.kernel - 1)) break;
      length = layer.length(length, padded);
      largest = std::max(largest, length * layer.channels);
    }
  }
  return largest;
}

}  // namespace dsf
