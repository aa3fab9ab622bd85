#include "engine/codec/dac_encoding.h"

#include <algorithm>
#include <cmath>

#include "engine/audio/loudness.h"
#include "engine/audio/resample.h"
#include "engine/codec/file_jobs.h"
#include "engine/codec/window_encoder.h"
#include "engine/files/counted.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kFramesPerRead = 65536;
constexpr int kMaxChannels = 5;  // of integrated_loudness

/// A source at the codec's rate, read from begin to end: `take` gets each part.
/// False where `progress`, which counts on from `done`, ended it.
template <class Take>
bool read_resampled(AudioSource& source, int sample_rate, int64_t& done,
                    const EncodeProgress& progress, const Take& take) {
  Resampler resampler(source.channels(), source.sample_rate(), sample_rate);
  std::vector<float> resampled;
  for (auto part = source.read(kFramesPerRead); !part.empty(); part = source.read(kFramesPerRead)) {
    resampled.clear();
    resampler.add(part, resampled);
    take(std::span<const float>(resampled));
    done += static_cast<int64_t>(part.size()) / source.channels();
    if (progress && !progress(done)) return false;
  }
  resampled.clear();
  resampler.finish(resampled);
  take(std::span<const float>(resampled));
  return true;
}

/// What the first reading finds out.
struct Measures {
  int64_t original_frames = 0;
  int64_t frames = 0;  // at the codec's rate
  double loudness = 0;
  std::vector<float> peaks;  // of each channel
};

std::optional<Measures> measure(AudioSource& source, int sample_rate,
                                const EncodeProgress& progress) {
  const auto channels = static_cast<size_t>(source.channels());
  Measures result;
  result.peaks.assign(channels, 0.0F);
  LoudnessMeter meter(source.channels(), sample_rate);
  const bool ended = read_resampled(source, sample_rate, result.original_frames, progress,
                                    [&](std::span<const float> part) {
                                      meter.add(part);
                                      result.frames += static_cast<int64_t>(part.size() / channels);
                                      for (size_t i = 0; i < part.size(); ++i) {
                                        float& peak = result.peaks[i % channels];
                                        peak = std::max(peak, std::abs(part[i]));
                                      }
                                    });
  if (!ended) return std::nullopt;
  if (result.frames == 0) {
    fail("there is no sound in it: {}", counted(result.original_frames, "frame"));
  }
  result.loudness = meter.finish();
  return result;
}

}  // namespace

DacEncoder::DacEncoder(const Codec& codec, const EncodeOptions& options)
    : codec_(codec), options_(options), windows_(codec.config(), options.window_seconds) {
  options_.n_codebooks = std::min(options.n_codebooks, codec.config().n_codebooks);
}

/// For so many frames at the codec's rate.
CodecWindows DacEncoder::windows_for(int64_t frames) const {
  const double seconds =
      static_cast<double>(frames) / static_cast<double>(codec_.config().sample_rate);
  return seconds <= options_.window_seconds ? CodecWindows::whole(frames) : windows_;
}

bool DacEncoder::made_alike(const DacFile& file, int channels, int sample_rate) const {
  const DacMetadata& meta = file.metadata;
  constexpr int64_t kMostFrames = int64_t{1} << 40;  // times a rate, no number is too large
  if (file.n_codebooks != options_.n_codebooks || file.channels != channels ||
      meta.sample_rate != sample_rate || meta.original_length < 1 ||
      meta.original_length > kMostFrames) {
    return false;
  }
  const int64_t hop = codec_.config().hop();
  const int64_t frames = meta.original_length * codec_.config().sample_rate / sample_rate;
  const CodecWindows windows = windows_for(frames);
  const int64_t filled_up = (windows.samples + hop - 1) / hop * hop;
  return meta.padding == windows.padded &&
         meta.chunk_length == codec_.encoder_geometry().frames(filled_up, windows.padded);
}

CodecEncoder& DacEncoder::encoder_for(int64_t samples) {
  if (samples > encoder_samples_) {
    encoder_.reset();  // before the larger one takes its memory
    encoder_samples_ = 0;
    encoder_ = std::make_unique<CodecEncoder>(codec_, samples);
    encoder_samples_ = samples;
  }
  return *encoder_;
}

std::optional<DacFile> DacEncoder::encode(AudioSource& source, const EncodeProgress& progress) {
  const auto rate = static_cast<int>(codec_.config().sample_rate);
  const int channels = source.channels();
  if (channels > kMaxChannels) {
    fail("{} channels: loudness is defined for at most {}; mix it down (--mono)", channels,
         kMaxChannels);
  }
  const std::optional<Measures> measures = measure(source, rate, progress);
  if (!measures) return std::nullopt;
  const auto& [original_frames, frames, loudness, peaks] = *measures;
  const float gain = options_.loudness ? gain_factor(*options_.loudness - loudness) : 1.0F;

  const CodecWindows windows = windows_for(frames);
  CodecEncoder& encoder = encoder_for(windows.samples);
  std::vector<WindowEncoder> by_channel;
  std::vector<float> ceilings;
  for (int c = 0; c < channels; ++c) {
    by_channel.emplace_back(encoder, windows, frames, options_.n_codebooks);
    const float peak = peaks[static_cast<size_t>(c)] * gain;
    ceilings.push_back(peak > 1 ? 1 / peak : 1.0F);
  }
  source.rewind();
  int64_t done = original_frames;
  const bool ended = read_resampled(source, rate, done, progress, [&](std::span<const float> part) {
    for (size_t i = 0; i < part.size(); ++i) {
      const size_t c = i % by_channel.size();
      by_channel[c].add(part[i] * gain * ceilings[c]);
    }
    for (WindowEncoder& channel : by_channel) channel.encode_full();
  });
  if (!ended) return std::nullopt;
  for (WindowEncoder& channel : by_channel) channel.finish();

  DacFile file;
  file.channels = channels;
  file.n_codebooks = options_.n_codebooks;
  file.frames = std::ssize(by_channel[0].codes()[0]);
  for (const WindowEncoder& channel : by_channel) {
    for (const auto& row : channel.codes()) {
      file.codes.insert(file.codes.end(), row.begin(), row.end());
    }
  }
  file.metadata = {static_cast<float>(loudness),
                   original_frames,
                   source.sample_rate(),
                   by_channel[0].frames_per_window(),
                   channels,
                   windows.padded,
                   "1.0.0"};
  return file;
}

void encode_each(const Codec& codec, const EncodeOptions& options, size_t count,
                 const std::atomic<bool>& stop,
                 const std::function<void(DacEncoder& encoder, size_t index)>& work) {
  // A convolution of one sound uses all cores, but less well than a sound for each of them.
  const bool together =
      codec.context().device == Device::cpu && static_cast<int64_t>(count) >= num_threads();
  std::vector<std::unique_ptr<DacEncoder>> encoders(static_cast<size_t>(num_threads()));
  for_each_file(count, together, stop, [&](size_t worker, size_t i) {
    if (!encoders[worker]) encoders[worker] = std::make_unique<DacEncoder>(codec, options);
    work(*encoders[worker], i);
  });
}

}  // namespace dsf
