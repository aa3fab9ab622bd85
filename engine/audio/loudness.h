#pragma once
// Integrated loudness (ITU-R BS.1770-4 gating) as the `dac` package measures it, so that files made
// by either have the same level. Its weighting filters, pyloudnorm's, are RBJ biquads at the
// signal's rate: a high shelf of 4 dB at 1500 Hz (Q 1/√2), then a high-pass at 38 Hz (Q 1/2); they
// differ from the standard's tables by up to some hundredths of a dB. At rates up to 3000 Hz, which
// have nothing above 1500 Hz to raise, the shelf is left out; pyloudnorm's is unstable there.
#include <memory>
#include <span>

namespace dsf {

/// Quietest loudness reported, LUFS: silence has this.
inline constexpr double kMinLoudness = -70.0;

/// Measures sound as it comes, part by part.
class LoudnessMeter {
 public:
  /// Of `channels` (1 … 5) interleaved channels at `sample_rate` Hz; less than 100 are an Error.
  LoudnessMeter(int channels, int sample_rate);
  ~LoudnessMeter();
  LoudnessMeter(LoudnessMeter&&) noexcept;

  /// An Error for samples that are not finite.
  void add(std::span<const float> samples);
  /// The loudness in LUFS of all that was added, at least kMinLoudness; called once, at the end.
  /// Blocks of 400 ms every 100 ms, the last filled up with silence; signals shorter than 0.5 s are
  /// filled up to it.
  double finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The same of samples that are all there.
double integrated_loudness(std::span<const float> samples, int channels, int sample_rate);

/// The factor that `change` dB are.
float gain_factor(double change);

/// Scales the samples so that their loudness becomes `target` LUFS. Returns the gain in dB.
double normalize_loudness(std::span<float> samples, int channels, int sample_rate, double target);

}  // namespace dsf
