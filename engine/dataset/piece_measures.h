#pragma once
// What can be measured of a piece of sound, to be a parameter that a model is conditioned on.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

enum class Measure {
  loudness,    // integrated (loudness.h), LUFS
  centroid,    // spectral_centroid (texture_features.h), Hz
  event_rate,  // onset_rate, onsets per second
};

/// "loudness", "centroid" or "event-rate", as it is asked for and as the parameter is called.
std::string_view name_of(Measure measure);
std::string_view unit_of(Measure measure);
/// False for what silence has instead of a value: it lies far from that of any sound.
bool is_of_sound(Measure measure, double value);
/// Names in a row, separated by commas; each once. Others are UsageErrors.
std::vector<Measure> parse_measures(const std::string& names);

/// A UsageError where one of them cannot be taken at this rate, the codec's.
void check_measures(const std::vector<Measure>& measures, int sample_rate);

/// Onsets per second, by spectral flux: the mean over 80 mel bands of what their levels (in dB, not
/// below 50 dB under the loudest band of all) gain from one window of 2048 samples to the next, 512
/// later, windows that lie wholly in the piece: its cut ends are no events. An onset is the highest
/// gain of 3 windows to either side that exceeds the median of 16 to either side by 3 dB. So gain
/// changes nothing, and events less than some 40 ms apart count as one. S. Dixon, "Onset detection
/// revisited" (DAFx 2006).
double onset_rate(std::span<const float> samples, int sample_rate);

/// The measures of mono sound, in their order.
std::vector<double> measure_piece(std::span<const float> samples, int sample_rate,
                                  const std::vector<Measure>& measures);

}  // namespace dsf
