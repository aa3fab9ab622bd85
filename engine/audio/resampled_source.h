#pragma once
// Sound at another rate, read part by part.
#include <optional>
#include <vector>

#include "engine/audio/audio_source.h"
#include "engine/audio/resample.h"

namespace dsf {

/// Another source, which must outlive it, at `sample_rate` Hz. An Error as Resampler has it.
class ResampledSource : public AudioSource {
 public:
  ResampledSource(AudioSource& source, int sample_rate);
  int sample_rate() const override { return sample_rate_; }
  int channels() const override { return source_.channels(); }
  std::span<const float> read(int64_t frames) override;
  void rewind() override;

 private:
  AudioSource& source_;
  int sample_rate_;
  std::optional<Resampler> resampler_;  // none behind the end
  std::vector<float> ready_;
  size_t taken_ = 0;  // of what is ready
};

}  // namespace dsf
