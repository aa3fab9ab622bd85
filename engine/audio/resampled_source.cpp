#include "engine/audio/resampled_source.h"

#include <algorithm>

namespace dsf {
namespace {

constexpr int64_t kFramesPerRead = 16384;

}  // namespace

ResampledSource::ResampledSource(AudioSource& source, int sample_rate)
    : source_(source),
      sample_rate_(sample_rate),
      resampler_(Resampler(source.channels(), source.sample_rate(), sample_rate)) {}

std::span<const float> ResampledSource::read(int64_t frames) {
  const auto wanted = static_cast<size_t>(frames * channels());
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(taken_));
  while (ready_.size() < wanted && resampler_) {
    const std::span<const float> part = source_.read(kFramesPerRead);
    if (part.empty()) {
      resampler_->finish(ready_);
      resampler_.reset();
    } else {
      resampler_->add(part, ready_);
    }
  }
  taken_ = std::min(wanted, ready_.size());
  return std::span(ready_).first(taken_);
}

void ResampledSource::rewind() {
  source_.rewind();
  resampler_.emplace(source_.channels(), source_.sample_rate(), sample_rate_);
  ready_.clear();
  taken_ = 0;
}

}  // namespace dsf
