#pragma once
#include <cstdint>
#include <vector>

namespace dsf {

/// Sampled sound: `channels` interleaved channels, full scale at ±1.
struct Audio {
  int sample_rate = 0;  // Hz
  int channels = 1;
  std::vector<float> samples;

  int64_t frames() const { return static_cast<int64_t>(samples.size()) / channels; }
};

}  // namespace dsf
