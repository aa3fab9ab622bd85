#include "engine/generation/take.h"

#include <algorithm>

#include "engine/audio/loudness.h"
#include "engine/audio/peak.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kFramesPerChunk = 128;  // some 1.5 s: bounds the decoder's memory

std::vector<float> decode(const Codec& codec, const Take& take,
                          const std::optional<LoopPlan>& loop) {
  const std::vector<int32_t> codes(take.drawn.codes.begin(), take.drawn.codes.end());
  std::vector<float> samples = codec.decode_chunked(
      {codes.data(), {take.drawn.n_codebooks, take.drawn.frames}}, kFramesPerChunk);
  if (!take.seam) return samples;
  DSF_CHECK(loop.has_value(), "a seam at frame {} of no loop", take.seam->begin);
  return loop_audio(samples, codec.config().hop(), *loop, *take.seam);
}

}  // namespace

DacFile heard_codes(const Take& take, const std::optional<LoopPlan>& loop) {
  if (!take.seam) return take.drawn;
  DSF_CHECK(loop.has_value(), "a seam at frame {} of no loop", take.seam->begin);
  return loop_codes(take.drawn, *loop, *take.seam);
}

Sound render(const Codec& codec, const std::vector<Take>& takes,
             const std::optional<LoopPlan>& loop) {
  DSF_CHECK(!takes.empty(), "nothing to render");
  const size_t channels = takes.size();
  Sound sound;
  Audio& audio = sound.audio;
  audio.sample_rate = static_cast<int>(codec.config().sample_rate);
  audio.channels = static_cast<int>(channels);
  for (size_t channel = 0; channel < channels; ++channel) {
    const std::vector<float> samples = decode(codec, takes[channel], loop);
    audio.samples.resize(samples.size() * channels);
    for (size_t i = 0; i < samples.size(); ++i) {
      audio.samples[i * channels + channel] = samples[i];
    }
  }
  const auto target = static_cast<double>(takes.front().drawn.metadata.input_db);
  sound.gain = normalize_loudness(audio.samples, audio.channels, audio.sample_rate, target);
  sound.peak_gain = limit_peak(audio.samples, kPeakCeiling);
  return sound;
}

}  // namespace dsf
