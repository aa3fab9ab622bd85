#pragma once
// Resampling by a windowed sinc, as the `dac` package's resampler (julius) does it, so that a sound
// at another rate gets the same codes:
//   y[n] = Σ_k x[k]·h(k·R − n·R·from/to)/Σh,  h(t) = sinc(t)·cos²(πt/48) for |t| < 24,
//   R = 0.945·min(from, to)/from,
// x continued beyond its ends by its first and last sample. J. O. Smith, "Digital Audio Resampling
// Home Page"; A. Défossez, julius.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/audio/audio.h"

namespace dsf {

/// Resamples sound as it comes, part by part: the parts change nothing.
class Resampler {
 public:
  /// For interleaved channels. Rates of 1 … 1,000,000 Hz; an Error where they differ by more than
  /// a factor of 256.
  Resampler(int channels, int from, int to);

  /// Appends to `result` what is certain once `samples` follow the earlier ones.
  void add(std::span<const float> samples, std::vector<float>& result);
  /// Appends the rest: in all, ⌊frames·to/from⌋ frames.
  void finish(std::vector<float>& result);

 private:
  void append(std::span<const float> frames, int64_t times);
  void produce(int64_t end, std::vector<float>& result);

  std::vector<std::vector<float>> channels_;  // x of each, from frame `begin_` on
  int64_t from_ = 1, to_ = 1;                 // in lowest terms
  int64_t reach_ = 0;                         // frames of x before and after the middle of y's taps
  std::vector<float> taps_;                   // [to, 2·reach + 1]: of each phase, in sum 1
  std::vector<float> last_;                   // the last frame of x so far
  int64_t begin_ = 0, received_ = 0, produced_ = 0;  // frames
};

/// `audio` at `sample_rate` Hz, ⌊frames·ratio⌋ frames long.
Audio resample(const Audio& audio, int sample_rate);

}  // namespace dsf
