#pragma once
// How the frames of codes lie in time, which is the codec's to say.
#include <algorithm>
#include <cstdint>

#include "engine/codec/codec.h"

namespace dsf {

struct CodeTiming {
  int64_t sample_rate = 44'100;  // where no codec is at hand: the official one's
  int64_t hop = 512;             // samples per frame
  int64_t missing = 0;           // samples that a decoded sound lacks of frames · hop (odd rates)

  CodeTiming() = default;
  explicit CodeTiming(const Codec& codec)
      : sample_rate(codec.config().sample_rate),
        hop(codec.config().hop()),
        missing(2 * hop - codec.geometry().samples(2, true)) {}

  /// Whole frames in which durations are counted, as upstream does: 86 of the official codec's
  /// 86.13 a second.
  int64_t frames_per_second() const { return std::max<int64_t>(1, sample_rate / hop); }
  /// How long so many frames sound.
  double seconds(int64_t frames) const {
    return static_cast<double>(frames * hop) / static_cast<double>(sample_rate);
  }
};

}  // namespace dsf
