#include "engine/codec/dac_decoding.h"

#include <algorithm>

#include "engine/audio/loudness.h"
#include "engine/audio/resample.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

// What converters reach at most. A file that claims more would only take memory.
constexpr int64_t kMaxSampleRate = 768'000;

}  // namespace

std::vector<float> decode_channel(const Codec& codec, const DacFile& file, int64_t channel,
                                  const DecodeProgress& progress) {
  const auto begin = file.codes.begin() + channel * file.n_codebooks * file.frames;
  const std::vector<int32_t> codes(begin, begin + file.n_codebooks * file.frames);
  return codec.decode_windows({codes.data(), {file.n_codebooks, file.frames}},
                              file.metadata.chunk_length, file.metadata.padding, progress);
}

void put_channel(Audio& audio, int64_t channel, std::span<const float> samples) {
  const auto channels = static_cast<size_t>(audio.channels);
  audio.samples.resize(samples.size() * channels);
  for (size_t i = 0; i < samples.size(); ++i) {
    audio.samples[i * channels + static_cast<size_t>(channel)] = samples[i];
  }
}

Audio decode_dac(const Codec& codec, const DacFile& file, const DecodeProgress& progress) {
  const DacMetadata& meta = file.metadata;
  if (meta.sample_rate > kMaxSampleRate) {
    fail("a sample rate of {} Hz, at most {} are supported", meta.sample_rate, kMaxSampleRate);
  }
  Audio audio{static_cast<int>(codec.config().sample_rate), static_cast<int>(file.channels), {}};
  bool stopped = false;
  for (int64_t channel = 0; channel < file.channels; ++channel) {
    std::vector<float> samples = decode_channel(codec, file, channel, [&](int64_t frames) {
      stopped = progress && !progress(channel * file.frames + frames);
      return !stopped;
    });
    if (stopped) return {};
    normalize_loudness(samples, 1, audio.sample_rate, static_cast<double>(meta.input_db));
    put_channel(audio, channel, samples);
  }
  audio = resample(audio, static_cast<int>(meta.sample_rate));
  const int64_t length = std::min(audio.frames(), meta.original_length);
  audio.samples.resize(static_cast<size_t>(length * file.channels));
  return audio;
}

}  // namespace dsf
