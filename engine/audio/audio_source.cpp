#include "engine/audio/audio_source.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <system_error>

#include "engine/audio/sound_bytes.h"
#include "kernels/common/checks.h"

namespace dsf {

struct AudioFileSource::File {
  struct Closer {
    void operator()(SNDFILE* file) const { sf_close(file); }
  };
  std::string path;
  SF_INFO info{};
  std::unique_ptr<SNDFILE, Closer> handle;
  std::vector<float> samples;
  int64_t position = 0;  // frames that were read
};

namespace {

/// libsndfile makes a WAV, AIFF or AU that was cut off a whole one of fewer frames.
void check_all_there(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return;
  const uint64_t missing = missing_sound_bytes(InputFile(path));
  if (missing == 0) return;
  fail("{}: ends {} bytes before its header says: it is not all there", path.string(), missing);
}

}  // namespace

AudioFileSource::AudioFileSource(const std::filesystem::path& path)
    : file_(std::make_unique<File>()) {
  file_->path = path.string();
  file_->handle.reset(sf_open(path.c_str(), SFM_READ, &file_->info));
  if (!file_->handle) fail("{}: {}", file_->path, sf_strerror(nullptr));
  check_all_there(path);
}

AudioFileSource::~AudioFileSource() = default;

int AudioFileSource::sample_rate() const {
  return file_->info.samplerate;
}

int AudioFileSource::channels() const {
  return file_->info.channels;
}

int64_t AudioFileSource::announced_frames() const {
  return file_->info.frames;
}

std::span<const float> AudioFileSource::read(int64_t frames) {
  File& file = *file_;
  const int channels = file.info.channels;
  file.samples.resize(static_cast<size_t>(frames * channels));
  const sf_count_t got = sf_readf_float(file.handle.get(), file.samples.data(), frames);
  if (const int error = sf_error(file.handle.get()); error != SF_ERR_NO_ERROR) {
    fail("{}: after frame {}: {}", file.path, file.position, sf_error_number(error));
  }
  const auto samples =
      std::span<const float>(file.samples).first(static_cast<size_t>(got * channels));
  const auto bad = std::ranges::find_if_not(samples, [](float x) { return std::isfinite(x); });
  if (bad != samples.end()) {
    fail("{}: frame {}: a sample is {}", file.path,
         file.position + (bad - samples.begin()) / channels, *bad);
  }
  file.position += got;
  if (got < frames && file.position < file.info.frames) {
    fail("{}: ends after frame {}, its header announces {}", file.path, file.position,
         file.info.frames);
  }
  return samples;
}

void AudioFileSource::rewind() {
  if (sf_seek(file_->handle.get(), 0, SEEK_SET) != 0) {
    fail("{}: cannot be read a second time: {}", file_->path, sf_strerror(file_->handle.get()));
  }
  file_->position = 0;
}

std::span<const float> AudioView::read(int64_t frames) {
  const std::span<const float> rest = std::span(audio_.samples).subspan(position_);
  const auto count = std::min(rest.size(), static_cast<size_t>(frames * audio_.channels));
  position_ += count;
  return rest.first(count);
}

std::span<const float> MonoMix::read(int64_t frames) {
  const std::span<const float> samples = source_.read(frames);
  const auto width = static_cast<size_t>(source_.channels());
  mixed_.assign(samples.size() / width, 0.0F);
  for (size_t i = 0; i < samples.size(); ++i) {
    mixed_[i / width] += samples[i] / static_cast<float>(width);
  }
  return mixed_;
}

}  // namespace dsf
