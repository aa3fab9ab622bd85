#pragma once
// How the decoder's layers stretch, cut and mix time: the lengths of everything it computes, and
// how far around a frame it looks.
#include <cstdint>
#include <vector>

#include "engine/codec/codec_config.h"
#include "engine/codec/time_layer.h"

namespace dsf {

class DecoderGeometry {
 public:
  explicit DecoderGeometry(const CodecConfig& config);

  /// Audio samples that `frames` latent frames become; with padding that is frames·hop, or a few
  /// less where a rate is odd. Without padding (`dac`'s windowed files) every layer loses its
  /// borders, and too few frames are an Error.
  int64_t samples(int64_t frames, bool padded) const;

  /// Frames before frame f and after it that can change the samples f·hop … (f+1)·hop−1.
  struct Reach {
    int64_t before = 0, after = 0;
  };
  const Reach& reach(bool padded) const { return padded ? padded_reach_ : unpadded_reach_; }

  /// Floats in the largest activation while `frames` latent frames are decoded, in either mode.
  int64_t largest_activation(int64_t frames) const;

 private:
  /// Input frames that output frames first … last depend on.
  struct Range {
    int64_t first, last;
  };
  static Range needed(const TimeLayer& layer, Range outputs, bool padded);
  Reach compute_reach(int64_t hop, bool padded) const;

  std::vector<TimeLayer> layers_;
  int64_t latent_dim_ = 0;
  Reach padded_reach_, unpadded_reach_;
};

}  // namespace dsf
