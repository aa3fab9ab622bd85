#include "engine/audio/audio_file.h"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/audio/audio_source.h"
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

/// A file in memory behind libsndfile's callbacks: what it encodes goes to disk as a whole.
struct MemoryFile {
  std::vector<std::byte> bytes;
  size_t position = 0;

  static MemoryFile& self(void* user) { return *static_cast<MemoryFile*>(user); }
  static sf_count_t length(void* user) { return static_cast<sf_count_t>(self(user).bytes.size()); }
  static sf_count_t tell(void* user) { return static_cast<sf_count_t>(self(user).position); }
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    const sf_count_t origin = whence == SEEK_CUR   ? tell(user)
                              : whence == SEEK_END ? length(user)
                                                   : 0;
    if (origin + offset < 0) return -1;
    self(user).position = static_cast<size_t>(origin + offset);
    return tell(user);
  }
  static sf_count_t read(void* target, sf_count_t count, void* user) {
    MemoryFile& file = self(user);
    const size_t begin = std::min(file.position, file.bytes.size());
    const size_t taken = std::min(static_cast<size_t>(count), file.bytes.size() - begin);
    std::memcpy(target, file.bytes.data() + begin, taken);
    file.position = begin + taken;
    return static_cast<sf_count_t>(taken);
  }
  static sf_count_t write(const void* source, sf_count_t count, void* user) {
    MemoryFile& file = self(user);
    const auto size = static_cast<size_t>(count);
    file.bytes.resize(std::max(file.bytes.size(), file.position + size));
    std::memcpy(file.bytes.data() + file.position, source, size);
    file.position += size;
    return count;
  }
};

struct Closer {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundFile = std::unique_ptr<SNDFILE, Closer>;

std::vector<std::byte> encode(const std::filesystem::path& path, const Audio& audio,
                              const FormatEntry& format) {
  MemoryFile memory;
  SF_VIRTUAL_IO callbacks{MemoryFile::length, MemoryFile::seek, MemoryFile::read, MemoryFile::write,
                          MemoryFile::tell};
  SF_INFO info{};
  info.samplerate = audio.sample_rate;
  info.channels = audio.channels;
  info.format = format.sndfile_format;
  SoundFile file(sf_open_virtual(&callbacks, SFM_WRITE, &info, &memory));
  if (!file) {
    fail("{}: cannot be encoded as {} with {} channels at {} Hz: {}", path.string(), format.name,
         audio.channels, audio.sample_rate, sf_strerror(nullptr));
  }
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  // The PEAK chunk of float files holds the time of day: equal sounds would be unequal files.
  sf_command(file.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);
  const sf_count_t frames = audio.frames();
  if (sf_writef_float(file.get(), audio.samples.data(), frames) != frames) {
    fail("{}: {}", path.string(), sf_strerror(file.get()));
  }
  if (const int error = sf_close(file.release()); error != 0) {
    fail("{}: {}", path.string(), sf_error_number(error));
  }
  return std::move(memory.bytes);
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

int64_t count_clipped(const Audio& audio, AudioFormat format) {
  if (format == AudioFormat::wav_float) return 0;
  return std::ranges::count_if(audio.samples, [](float sample) { return std::abs(sample) > 1; });
}

void write_audio(const std::filesystem::path& path, const Audio& audio, AudioFormat format) {
  check_audio_length(path, format, audio.channels, audio.frames());
  const auto bad = std::find_if_not(audio.samples.begin(), audio.samples.end(),
                                    [](float sample) { return std::isfinite(sample); });
  if (bad != audio.samples.end()) {
    fail("{}: not written: sample {} is {}", path.string(), bad - audio.samples.begin(), *bad);
  }
  const std::vector<std::byte> bytes = encode(path, audio, entry(format));
  write_file_atomically(path, [&bytes](FileWriter& writer) { writer.write(bytes); });
}

Audio read_audio(const std::filesystem::path& path) {
  AudioFileSource source(path);
  Audio audio{source.sample_rate(), source.channels(), {}};
  // The header's count of frames may lie: memory grows with what is really there.
  const int64_t frames = std::max(65536 / source.channels(), 1);
  for (auto part = source.read(frames); !part.empty(); part = source.read(frames)) {
    audio.samples.insert(audio.samples.end(), part.begin(), part.end());
  }
  return audio;
}

}  // namespace dsf
