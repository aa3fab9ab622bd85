#pragma once
// How the decoder's layers stretch, cut and mix time: the lengths of everything it computes, and
// how far around a frame it looks.
#include <cstdint>
#include <vector>

#include "engine/codec/codec_config.h"

namespace dsf {

/// The codec's convolutions: kernel 7, and per block three residual units of these dilations.
inline constexpr int64_t kConvolutionKernel = 7;
inline constexpr int64_t kDilations[] = {1, 3, 9};

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
  /// A layer that changes time; convolutions of kernel 1 do not.
  struct Layer {
    bool transposed;
    int64_t kernel, stride, dilation, padding;
    int64_t channels;  // of its output
    int64_t length(int64_t frames, bool padded) const;
  };
  /// Input frames that output frames first … last depend on.
  struct Range {
    int64_t first, last;
  };
  static Range needed(const Layer& layer, Range outputs, bool padded);
  Reach compute_reach(int64_t hop, bool padded) const;

  std::vector<Layer> layers_;
  int64_t latent_dim_ = 0;
  Reach padded_reach_, unpadded_reach_;
};

}  // namespace dsf
