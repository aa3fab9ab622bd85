#pragma once
// Where --play plays: the system's audio output.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace dsf {

/// Called in the system's audio thread for each block: it may neither wait nor allocate.
using AudioFill = std::function<void(std::span<float>)>;

/// One channel that plays until it is destroyed.
class AudioOutput {
 public:
  virtual ~AudioOutput() = default;
  /// Whether it still plays: a device may be pulled out.
  virtual bool plays() const = 0;
  /// Plays what was filled so far to its end.
  virtual void drain() = 0;
  /// Seconds from a block's request until it is heard, as the system says.
  virtual double latency() const = 0;
};

using OpenAudio = std::function<std::unique_ptr<AudioOutput>(int64_t sample_rate, AudioFill fill)>;

/// The default output. An Error where there is none, or it does not take this rate.
std::unique_ptr<AudioOutput> open_audio_device(int64_t sample_rate, AudioFill fill);

}  // namespace dsf
