#pragma once
// One channel of sound, cut into windows while it arrives, and the codes of each.
#include <cstdint>
#include <vector>

#include "engine/codec/codec_encoder.h"
#include "engine/codec/encoder_geometry.h"

namespace dsf {

class WindowEncoder {
 public:
  /// For `samples` at the codec's rate; of the codebooks the `n_codebooks` leading ones. `encoder`
  /// must outlive it.
  WindowEncoder(CodecEncoder& encoder, const CodecWindows& windows, int64_t samples,
                int64_t n_codebooks);

  void add(float sample) { samples_.push_back(sample); }
  /// Encodes the windows that are full.
  void encode_full();
  /// Encodes the rest, filled up with silence.
  void finish();

  int64_t frames_per_window() const { return frames_per_window_; }
  /// Codes so far, of each codebook.
  const std::vector<std::vector<uint16_t>>& codes() const { return codes_; }

 private:
  void encode_next();

  CodecEncoder* encoder_;
  CodecWindows windows_;
  int64_t left_;  // windows
  int64_t frames_per_window_ = 0;
  std::vector<float> samples_;  // from the next window's first on
  std::vector<std::vector<uint16_t>> codes_;
};

}  // namespace dsf
