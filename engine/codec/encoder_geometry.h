#pragma once
// Lengths of everything that encoding computes, and how `dac` cuts long sound into windows.
#include <cstdint>
#include <vector>

#include "engine/codec/codec_config.h"
#include "engine/codec/time_layer.h"

namespace dsf {

class EncoderGeometry {
 public:
  explicit EncoderGeometry(const CodecConfig& config);

  /// Latent frames that `samples` become. Too few for a mode without padding are an Error.
  int64_t frames(int64_t samples, bool padded) const;
  /// Floats in the largest activation while `samples` are encoded, in either mode.
  int64_t largest_activation(int64_t samples) const;

 private:
  std::vector<TimeLayer> layers_;
};

/// `dac`'s windows: all padding removed, each window gives the frames whose sound does not depend
/// on what lies outside, once more without padding.
struct CodecWindows {
  int64_t delay = 0;    // zeros before the sound and after it
  int64_t samples = 0;  // of a window
  int64_t step = 0;     // from the begin of a window to the next one's
  bool padded = false;  // whether convolutions are padded

  /// For windows of `seconds`, rounded up to whole frames. A UsageError where they are shorter than
  /// what the layers cut off.
  CodecWindows(const CodecConfig& config, double seconds);
  /// One window of the whole sound, with padding: for sound that is not longer than a window.
  static CodecWindows whole(int64_t samples);

 private:
  CodecWindows() = default;
};

}  // namespace dsf
