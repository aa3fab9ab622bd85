#pragma once
// A layer of a codec as time sees it: how it stretches and cuts.
#include <cstdint>
#include <vector>

#include "engine/codec/codec_config.h"

namespace dsf {

/// a / b rounded down, for a of either sign.
constexpr int64_t floor_divide(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/// A convolution, perhaps transposed. Those of kernel 1 do not change time and are left out.
struct TimeLayer {
  bool transposed;
  int64_t kernel, stride, dilation, padding;
  int64_t channels;  // of its output

  /// Output frames of `frames` input frames; an Error where there are too few.
  int64_t length(int64_t frames, bool padded) const;
};

/// The layers from sound to the encoder's latent frames, and from these back to sound.
std::vector<TimeLayer> encoder_layers(const CodecConfig& config);
std::vector<TimeLayer> decoder_layers(const CodecConfig& config);

}  // namespace dsf
