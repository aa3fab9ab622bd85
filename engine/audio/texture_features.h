#pragma once
// What tells how strongly a sound texture does what its class does, from the sound alone and
// whatever its level: for comparing generated sounds with the parameter that they were to follow.
#include <span>

namespace dsf {

/// The lowest sample rate of which these tell something; lower ones are an Error.
inline constexpr int kMinFeatureRate = 8000;

/// Impacts or claps per second: how often the level above 1 kHz, in windows of 3 ms, rises by 6 dB
/// and falls again. Events closer than some 5 ms run together. 0 for silence.
double event_rate(std::span<const float> sound, int sample_rate);

/// The middle of the power spectrum on a logarithmic axis, Hz. 0 for silence.
double spectral_centroid(std::span<const float> sound, int sample_rate);

/// Deviation of the level of half-second windows, dB: gusts and lulls. 0 for silence and for less
/// than two windows.
double gust_depth(std::span<const float> sound, int sample_rate);

/// How fast the sound turns into another, Hz: the inverse of the time after which its spectrum (in
/// bands of an eighth of an octave, dB) is half as unlike itself as at independent times. 0 for
/// what does not change, or needs longer than a quarter of the sound or 10 s.
double movement_rate(std::span<const float> sound, int sample_rate);

}  // namespace dsf
