#include "engine/generation/take.h"

#include "engine/audio/loudness.h"
#include "engine/audio/peak.h"
#include "engine/codec/dac_decoding.h"
#include "kernels/common/checks.h"

namespace dsf {
DacFile heard_codes(const Take& take, int64_t hop, const std::optional<LoopPlan>& loop) {
  if (!take.seam) return take.drawn;
  DSF_CHECK(loop.has_value(), "a seam at frame {} of no loop", take.seam->begin);
  return loop_codes(take.drawn, hop, *loop, *take.seam);
}

std::optional<Sound> render(const Codec& codec, const std::vector<Take>& takes,
                            const std::optional<LoopPlan>& loop, const DecodeProgress& progress) {
  DSF_CHECK(!takes.empty(), "nothing to render");
  Sound sound;
  Audio& audio = sound.audio;
  audio.sample_rate = static_cast<int>(codec.config().sample_rate);
  audio.channels = static_cast<int>(takes.size());
  int64_t done = 0;  // frames of the takes before
  bool stopped = false;
  for (size_t channel = 0; channel < takes.size(); ++channel) {
    const Take& take = takes[channel];
    std::vector<float> samples = decode_channel(codec, take.drawn, 0, [&](int64_t frames) {
      stopped = progress && !progress(done + frames);
      return !stopped;
    });
    if (stopped) return {};
    done += take.drawn.frames;
    if (take.seam) {
      DSF_CHECK(loop.has_value(), "a seam at frame {} of no loop", take.seam->begin);
      samples = loop_audio(samples, codec.config().hop(), *loop, *take.seam);
    }
    put_channel(audio, static_cast<int64_t>(channel), samples);
  }
  const auto target = static_cast<double>(takes.front().drawn.metadata.input_db);
  sound.gain = normalize_loudness(audio.samples, audio.channels, audio.sample_rate, target);
  sound.peak_gain = limit_peak(audio.samples, kPeakCeiling);
  return sound;
}

}  // namespace dsf
