#include "engine/audio/audio_file.h"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/files/atomic_file.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

struct FormatEntry {
  AudioFormat format;
  std::string_view name;
  std::string_view extension;
  int sndfile_format;
  int64_t sample_bytes;
};

// The size of all that follows is a number of 32 bits at a WAV's beginning; its headers take less
// than what is left out here.
constexpr int64_t kMaxWavBytes = (int64_t{1} << 32) - 1024;
constexpr int64_t kMaxFlacFrames = (int64_t{1} << 36) - 1;

constexpr std::array<FormatEntry, 4> kFormats = {{
    {AudioFormat::wav16, "wav16", ".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2},
    {AudioFormat::wav24, "wav24", ".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 3},
    {AudioFormat::wav_float, "wavfloat", ".wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 4},
    {AudioFormat::flac, "flac", ".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 3},
}};

const FormatEntry& entry(AudioFormat format) {
  return *std::find_if(kFormats.begin(), kFormats.end(),
                       [format](const FormatEntry& known) { return known.format == format; });
}

/// A file that is written, behind libsndfile's callbacks. That is C: an exception waits until it
/// has returned.
class EncodedFile {
 public:
  explicit EncodedFile(FileWriter& writer) : writer_(writer) {}

  static SF_VIRTUAL_IO callbacks() { return {length, seek, read, write, tell}; }
  /// Raises what has gone wrong behind libsndfile's back.
  void check() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static EncodedFile& self(void* user) { return *static_cast<EncodedFile*>(user); }
  static sf_count_t length(void* user) { return self(user).length_; }
  static sf_count_t tell(void* user) { return self(user).position_; }
  static sf_count_t read(void*, sf_count_t, void*) { return 0; }  // it only writes
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    EncodedFile& file = self(user);
    const sf_count_t origin = whence == SEEK_CUR   ? file.position_
                              : whence == SEEK_END ? file.length_
                                                   : 0;
    const sf_count_t target = origin + offset;
    if (target < 0) return -1;
    const bool done = file.attempt([&] { file.writer_.seek(static_cast<uint64_t>(target)); });
    if (!done) return -1;
    return file.position_ = target;
  }
  static sf_count_t write(const void* source, sf_count_t count, void* user) {
    EncodedFile& file = self(user);
    const bool done = file.attempt([&] { file.writer_.write(source, static_cast<size_t>(count)); });
    if (!done) return 0;
    file.position_ += count;
    file.length_ = std::max(file.length_, file.position_);
    return count;
  }

  /// False once something has failed.
  template <class Work>
  bool attempt(const Work& work) {
    if (error_) return false;
    try {
      work();
    } catch (...) {
      error_ = std::current_exception();
    }
    return !error_;
  }

  FileWriter& writer_;
  sf_count_t position_ = 0, length_ = 0;
  std::exception_ptr error_;
};

struct Closer {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundFile = std::unique_ptr<SNDFILE, Closer>;

/// Encodes sound part by part.
class SoundEncoder {
 public:
  SoundEncoder(std::string path, const AudioSource& source, const FormatEntry& format,
               FileWriter& writer)
      : path_(std::move(path)), format_(format), channels_(source.channels()), output_(writer) {
    SF_VIRTUAL_IO callbacks = EncodedFile::callbacks();
    SF_INFO info{};
    info.samplerate = source.sample_rate();
    info.channels = channels_;
    info.format = format.sndfile_format;
    file_.reset(sf_open_virtual(&callbacks, SFM_WRITE, &info, &output_));
    output_.check();
    if (!file_) {
      fail("{}: cannot be encoded as {} with {} channels at {} Hz: {}", path_, format.name,
           channels_, source.sample_rate(), sf_strerror(nullptr));
    }
    sf_command(file_.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
    // The PEAK chunk of float files holds the time of day: equal sounds would be unequal files.
    sf_command(file_.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);
  }

  void add(std::span<const float> samples) {
    const auto bad = std::ranges::find_if_not(samples, [](float x) { return std::isfinite(x); });
    if (bad != samples.end()) {
      fail("{}: not written: sample {} is {}", path_,
           written_.frames * channels_ + (bad - samples.begin()), *bad);
    }
    const sf_count_t frames = std::ssize(samples) / channels_;
    check_audio_length(path_, format_.format, channels_, written_.frames + frames);
    if (format_.format != AudioFormat::wav_float) {
      written_.clipped += std::ranges::count_if(samples, [](float x) { return std::abs(x) > 1; });
    }
    const sf_count_t taken = sf_writef_float(file_.get(), samples.data(), frames);
    output_.check();
    if (taken != frames) fail("{}: {}", path_, sf_strerror(file_.get()));
    written_.frames += frames;
  }

  void finish() {
    const int error = sf_close(file_.release());
    output_.check();
    if (error != 0) fail("{}: {}", path_, sf_error_number(error));
  }

  const WrittenAudio& written() const { return written_; }

 private:
  std::string path_;
  const FormatEntry& format_;
  int channels_;
  WrittenAudio written_;
  EncodedFile output_;
  SoundFile file_;  // writes into `output_` until it is closed
};

/// What keeps a file from being replaced where the progress ends its writing.
struct Ended {};

WrittenAudio write_all(const std::filesystem::path& path, AudioSource& source, AudioFormat format,
                       const WriteProgress& progress) {
  const int64_t frames_at_once = std::max(65536 / source.channels(), 1);
  WrittenAudio written;
  write_file_atomically(path, [&](FileWriter& writer) {
    SoundEncoder encoder(path.string(), source, entry(format), writer);
    for (auto part = source.read(frames_at_once); !part.empty();
         part = source.read(frames_at_once)) {
      encoder.add(part);
      if (progress && !progress(encoder.written().frames)) throw Ended();
    }
    encoder.finish();
    written = encoder.written();
  });
  return written;
}

}  // namespace

AudioFormat parse_audio_format(std::string_view name) {
  std::string known;
  for (const FormatEntry& format : kFormats) {
    if (format.name == name) return format.format;
    known += (known.empty() ? "" : ", ") + std::string(format.name);
  }
  fail_usage("audio format '{}' is unknown; known: {}", name, known);
}

std::string_view audio_extension(AudioFormat format) {
  return entry(format).extension;
}

int64_t max_audio_frames(AudioFormat format, int channels) {
  if (format == AudioFormat::flac) return kMaxFlacFrames;
  return kMaxWavBytes / (entry(format).sample_bytes * channels);
}

void check_audio_length(const std::filesystem::path& path, AudioFormat format, int channels,
                        int64_t frames) {
  const int64_t most = max_audio_frames(format, channels);
  if (frames <= most) return;
  fail("{}: not written: {} samples of {} channels, a {} file can hold {}{}", path.string(), frames,
       channels, entry(format).name, most,
       format == AudioFormat::flac ? "" : "; write it as flac or in parts");
}

std::optional<WrittenAudio> write_audio(const std::filesystem::path& path, AudioSource& source,
                                        AudioFormat format, const WriteProgress& progress) {
  try {
    return write_all(path, source, format, progress);
  } catch (const Ended&) {
    return std::nullopt;
  }
}

WrittenAudio write_audio(const std::filesystem::path& path, const Audio& audio,
                         AudioFormat format) {
  check_audio_length(path, format, audio.channels, audio.frames());
  AudioView view(audio);
  return write_all(path, view, format, {});
}

Audio read_audio(const std::filesystem::path& path) {
  AudioFileSource source(path);
  return read_all(source);
}

}  // namespace dsf
