#include "engine/audio/audio_source.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <system_error>

#include "engine/audio/sound_bytes.h"
#include "engine/files/counted.h"
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
  bool cut_ogg = false;

  bool states_length() const { return info.frames != SF_COUNT_MAX && !cut_ogg; }
  int64_t fill(int64_t frames);
  void check_end() const;
};

namespace {

constexpr int64_t kMostFrames = int64_t{1} << 36;  // FLAC's, 18 days at 44.1 kHz
constexpr int64_t kSamplesAtOnce = int64_t{1} << 18;

/// libsndfile makes a WAV, AIFF or AU that was cut off a whole one of fewer frames.
void check_all_there(const InputFile& file, const std::string& path) {
  const uint64_t missing = missing_sound_bytes(file);
  if (missing == 0) return;
  fail("{}: ends {} before its header says: it is not all there", path, counted(missing, "byte"));
}

}  // namespace

Audio read_all(AudioSource& source) {
  Audio audio{source.sample_rate(), source.channels(), {}};
  // No source says how much it has, and a file's header may lie: memory grows with what is there.
  const int64_t frames = std::max(65536 / source.channels(), 1);
  for (auto part = source.read(frames); !part.empty(); part = source.read(frames)) {
    audio.samples.insert(audio.samples.end(), part.begin(), part.end());
  }
  return audio;
}

AudioFileSource::AudioFileSource(const std::filesystem::path& path)
    : file_(std::make_unique<File>()) {
  file_->path = path.string();
  file_->handle.reset(sf_open(path.c_str(), SFM_READ, &file_->info));
  if (!file_->handle) {
    if (sf_error(nullptr) == SF_ERR_UNRECOGNISED_FORMAT) {
      fail("{}: no sound of a known format, expected WAV, FLAC, OGG, AIFF, AU or MP3", file_->path);
    }
    fail("{}: {}", file_->path, sf_strerror(nullptr));
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return;
  const InputFile file(path);
  check_all_there(file, file_->path);
  file_->cut_ogg = is_cut_ogg(file);
}

AudioFileSource::~AudioFileSource() = default;

int AudioFileSource::sample_rate() const {
  return file_->info.samplerate;
}

int AudioFileSource::channels() const {
  return file_->info.channels;
}

int64_t AudioFileSource::announced_frames() const {
  const int64_t frames = file_->info.frames;
  return file_->states_length() && frames <= kMostFrames ? std::max<int64_t>(0, frames) : 0;
}

/// Reads so many frames, or all that are left, and gives their number. Memory grows with what is
/// really there: a header may claim a thousand channels.
int64_t AudioFileSource::File::fill(int64_t frames) {
  const int64_t at_once = std::max<int64_t>(1, kSamplesAtOnce / info.channels);
  int64_t got = 0;
  while (got < frames) {
    const int64_t wanted = std::min(frames - got, at_once);
    samples.resize(static_cast<size_t>((got + wanted) * info.channels));
    const sf_count_t part =
        sf_readf_float(handle.get(), samples.data() + got * info.channels, wanted);
    if (const int error = sf_error(handle.get()); error != SF_ERR_NO_ERROR) {
      fail("{}: after frame {}: {}", path, position + got, sf_error_number(error));
    }
    got += part;
    if (part < wanted) break;
  }
  samples.resize(static_cast<size_t>(got * info.channels));
  return got;
}

/// All frames have been read: an Error if these are not all of the file's.
void AudioFileSource::File::check_end() const {
  if (states_length()) {
    if (position >= info.frames) return;
    fail("{}: ends after frame {}, its header announces {}", path, position, info.frames);
  }
  // A FLAC may leave its length unsaid; of an OGG the last page says it.
  if ((info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG) {
    fail("{}: ends after frame {}, without the page that ends it", path, position);
  }
}

std::span<const float> AudioFileSource::read(int64_t frames) {
  File& file = *file_;
  const int64_t got = file.fill(frames);
  const std::span<const float> samples = file.samples;
  const auto bad = std::ranges::find_if_not(samples, [](float x) { return std::isfinite(x); });
  if (bad != samples.end()) {
    fail("{}: frame {}: a sample is {}", file.path,
         file.position + (bad - samples.begin()) / file.info.channels, *bad);
  }
  file.position += got;
  if (got < frames) file.check_end();
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
