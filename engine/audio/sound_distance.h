#pragma once
// How far a sound is from a reference. Spectra are those of Hann windows of 2048 samples around
// every 512th, silence beyond the ends, as magnitudes |X| that are not scaled (a sine of amplitude
// 1 has 512), none counted as less than 1e-5:
//   mel distance           mean over windows and 80 mel bands (mel_bands.h) of |log10 A − log10 B|;
//                          twice the amplitude (6.02 dB) everywhere is 0.301
//   log-spectral distance  mean over windows of the root of the mean over bins of
//                          (20·log10(|A|/|B|))², dB
//   SI-SDR                 10·log10(‖αa‖² / ‖b − αa‖²), α = ⟨a,b⟩/‖a‖², both without their mean,
//   dB:
//                          no delay is looked for, so that one of some samples costs all of it.
//                          J. Le Roux et al., "SDR – half-baked or well done?" (ICASSP 2019)
//   loudness               integrated loudness (loudness.h) of the other less the reference's, LU
#include <memory>
#include <span>

namespace dsf {

struct SoundDistance {
  double mel = 0;
  double log_spectral = 0;  // dB
  /// dB; +∞ for a multiple of the reference and where both are silent, −∞ where nothing is of the
  /// reference: where one alone is silent, say. Above some 150 its digits mean nothing.
  double si_sdr = 0;
  double loudness = 0;  // LU
};

/// The mean of each. SI-SDR is −∞ where that of one is: the others do not make up for it. Zeros of
/// none.
SoundDistance mean_distance(std::span<const SoundDistance> distances);

/// Compares two sounds as they come, part by part: the parts change nothing.
class SoundComparison {
 public:
  /// Of `channels` (1 … 5) interleaved channels. Each is compared by itself and the mean taken; the
  /// loudness is that of all.
  SoundComparison(int channels, int sample_rate);
  ~SoundComparison();
  SoundComparison(SoundComparison&&) noexcept;

  /// As many samples of either. An Error for samples that are not finite.
  void add(std::span<const float> reference, std::span<const float> other);
  /// Called once, at the end. An Error if nothing was added.
  SoundDistance finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The same of mono sound that is all there, cut to the shorter.
SoundDistance sound_distance(std::span<const float> reference, std::span<const float> other,
                             int sample_rate);

}  // namespace dsf
