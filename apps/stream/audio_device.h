#pragma once
// The system's audio output.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace dsf {

/// Plays one channel on the default output until it is destroyed. `fill` is called in the system's
/// audio thread for each block: it may neither wait nor allocate.
class AudioDevice {
 public:
  /// An Error where there is no output, or it does not take this rate.
  AudioDevice(int64_t sample_rate, std::function<void(std::span<float>)> fill);
  ~AudioDevice();
  AudioDevice(const AudioDevice&) = delete;
  AudioDevice& operator=(const AudioDevice&) = delete;

  /// Whether it still plays: a device may be pulled out.
  bool plays() const;
  /// Plays what was filled so far to its end.
  void drain();
  /// Seconds from a block's request until it is heard, as the system says.
  double latency() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dsf
