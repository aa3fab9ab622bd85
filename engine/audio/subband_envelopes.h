#pragma once
// How loud each of 16 bands of frequency is over time: what an ear keeps of a sound texture. After
// J. McDermott and E. Simoncelli, "Sound texture perception via statistics of the auditory
// periphery" (Neuron 71, 2011), with short-time spectra in the place of their filters.
#include <cstddef>
#include <span>
#include <vector>

namespace dsf {

inline constexpr size_t kSubbands = 16;
inline constexpr double kLowestSubband = 60, kHighestSubband = 16000;  // Hz

struct SubbandEnvelopes {
  double rate = 0;             // windows per second
  size_t windows = 0;          // at least one
  std::vector<double> values;  // [kSubbands, windows]

  std::span<const double> band(size_t index) const {
    return std::span(values).subspan(index * windows, windows);
  }
};

/// Bands equally wide on the scale of equivalent rectangular bandwidths, from Hann windows of 512
/// samples around every 128th: a band's envelope is (p/P + 10⁻⁶)^0.15 with its power p and the mean
/// P over time of the power of all. So it does not depend on the sound's level, is compressed as
/// by an ear, and what is 60 dB below the whole hardly counts. Silence has the envelope of p/P = 0.
/// An Error for rates below 32 kHz and for less than a window.
SubbandEnvelopes measure_envelopes(std::span<const float> sound, int sample_rate);

/// A subband's middle, Hz.
double subband_frequency(size_t index);

/// The level, in dB, that an envelope's value stands for.
double envelope_level(double value);

}  // namespace dsf
