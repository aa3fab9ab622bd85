#include "engine/codec/dac_decoding.h"

#include <algorithm>

#include "engine/audio/loudness.h"
#include "engine/audio/resampled_source.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

// What converters reach at most. A file that claims more would only take memory.
constexpr int64_t kMaxSampleRate = 768'000;

/// Channels that were decoded one after the other into a store, side by side and each at its gain.
class StoredChannels : public AudioSource {
 public:
  StoredChannels(SampleStore& store, int sample_rate, int channels)
      : store_(store), sample_rate_(sample_rate), channels_(channels) {}

  /// The channel that is added next has all its samples in the store; all have equally many.
  void add_channel(int64_t frames, float gain) {
    frames_ = frames;
    gains_.push_back(gain);
  }

  int sample_rate() const override { return sample_rate_; }
  int channels() const override { return channels_; }
  std::span<const float> read(int64_t frames) override {
    const auto count = static_cast<size_t>(std::min(frames, frames_ - position_));
    const size_t width = gains_.size();
    channel_.resize(count);
    interleaved_.resize(count * width);
    for (size_t c = 0; c < width; ++c) {
      store_.read(static_cast<int64_t>(c) * frames_ + position_, channel_);
      for (size_t i = 0; i < count; ++i) interleaved_[i * width + c] = channel_[i] * gains_[c];
    }
    position_ += static_cast<int64_t>(count);
    return interleaved_;
  }
  void rewind() override { position_ = 0; }

 private:
  SampleStore& store_;
  int sample_rate_, channels_;
  int64_t frames_ = 0, position_ = 0;
  std::vector<float> gains_;
  std::vector<float> channel_, interleaved_;
};

/// The sound of a file once it is decoded. Made before, so that a rate that cannot be had is known
/// early.
class DacSound : public AudioSource {
 public:
  DacSound(const Codec& codec, const DacFile& file, SampleStore& store)
      : store_(store),
        channels_(store, static_cast<int>(codec.config().sample_rate),
                  static_cast<int>(file.channels)),
        resampled_(channels_, static_cast<int>(file.metadata.sample_rate)),
        length_(file.metadata.original_length),
        left_(length_) {}

  /// False where `progress` ended it.
  bool decode(const Codec& codec, const DacFile& file, const DecodeProgress& progress) {
    for (int64_t channel = 0; channel < file.channels; ++channel) {
      LoudnessMeter meter(1, channels_.sample_rate());
      int64_t frames = 0;
      const auto take = [&](std::span<const float> samples) {
        meter.add(samples);
        store_.append(samples);
        frames += std::ssize(samples);
      };
      const auto going_on = [&](int64_t done) {
        return !progress || progress(channel * file.frames + done);
      };
      if (!stream_channel(codec, file, channel, take, going_on)) return false;
      const auto target = static_cast<double>(file.metadata.input_db);
      channels_.add_channel(frames, gain_factor(target - meter.finish()));
    }
    return true;
  }

  int sample_rate() const override { return resampled_.sample_rate(); }
  int channels() const override { return resampled_.channels(); }
  std::span<const float> read(int64_t frames) override {
    const std::span<const float> part = resampled_.read(std::min(frames, left_));
    left_ -= std::ssize(part) / channels();
    return part;
  }
  void rewind() override {
    resampled_.rewind();
    left_ = length_;
  }

 private:
  SampleStore& store_;
  StoredChannels channels_;
  ResampledSource resampled_;
  int64_t length_, left_;  // frames
};

}  // namespace

std::vector<float> decode_channel(const Codec& codec, const DacFile& file, int64_t channel,
                                  const DecodeProgress& progress) {
  std::vector<float> samples;
  stream_channel(
      codec, file, channel,
      [&](std::span<const float> part) { samples.insert(samples.end(), part.begin(), part.end()); },
      progress);
  return samples;
}

bool stream_channel(const Codec& codec, const DacFile& file, int64_t channel,
                    const SampleSink& take, const DecodeProgress& progress) {
  const auto begin = file.codes.begin() + channel * file.n_codebooks * file.frames;
  const std::vector<int32_t> codes(begin, begin + file.n_codebooks * file.frames);
  return codec.stream_windows({codes.data(), {file.n_codebooks, file.frames}},
                              file.metadata.chunk_length, file.metadata.padding, take, progress);
}

void put_channel(Audio& audio, int64_t channel, std::span<const float> samples) {
  const auto channels = static_cast<size_t>(audio.channels);
  audio.samples.resize(samples.size() * channels);
  for (size_t i = 0; i < samples.size(); ++i) {
    audio.samples[i * channels + static_cast<size_t>(channel)] = samples[i];
  }
}

std::unique_ptr<AudioSource> stream_dac(const Codec& codec, const DacFile& file, SampleStore& store,
                                        const DecodeProgress& progress) {
  if (file.metadata.sample_rate > kMaxSampleRate) {
    fail("a sample rate of {} Hz, at most {} are supported", file.metadata.sample_rate,
         kMaxSampleRate);
  }
  auto sound = std::make_unique<DacSound>(codec, file, store);
  if (!sound->decode(codec, file, progress)) return nullptr;
  return sound;
}

Audio decode_dac(const Codec& codec, const DacFile& file, const DecodeProgress& progress) {
  SamplesInMemory samples;
  const std::unique_ptr<AudioSource> sound = stream_dac(codec, file, samples, progress);
  return sound ? read_all(*sound) : Audio{};
}

}  // namespace dsf
