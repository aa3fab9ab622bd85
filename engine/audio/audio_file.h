#pragma once
// Sound files: WAV and FLAC, by libsndfile.
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "engine/audio/audio_source.h"

namespace dsf {

enum class AudioFormat { wav16, wav24, wav_float, flac };

/// "wav16", "wav24", "wavfloat" or "flac" (24 bits); anything else is a UsageError.
AudioFormat parse_audio_format(std::string_view name);
/// ".wav" or ".flac".
std::string_view audio_extension(AudioFormat format);

/// The most frames that a file of this format can hold: a WAV counts its bytes in 32 bits.
int64_t max_audio_frames(AudioFormat format, int channels);
/// Raises an Error, naming `path`, if a file of the format cannot hold so many. To be asked before
/// hours of sound are computed; write_audio asks it, too.
void check_audio_length(const std::filesystem::path& path, AudioFormat format, int channels,
                        int64_t frames);

struct WrittenAudio {
  int64_t frames = 0;
  int64_t clipped = 0;  // samples beyond ±1, where the format's integers clip them
};

/// Told during a long write how many frames are written; false ends it there.
using WriteProgress = std::function<bool(int64_t frames)>;

/// Replaces `path` by all that the source gives, in memory that does not grow with it, or, on an
/// Error, leaves it as it was. Integer formats clip at ±1; samples that are not finite are an
/// Error. Where `progress` ends it, nothing is written.
std::optional<WrittenAudio> write_audio(const std::filesystem::path& path, AudioSource& source,
                                        AudioFormat format, const WriteProgress& progress = {});
/// The same of sound that is all there.
WrittenAudio write_audio(const std::filesystem::path& path, const Audio& audio, AudioFormat format);

/// Reads any file that libsndfile understands. An Error names the file and what is wrong with it.
Audio read_audio(const std::filesystem::path& path);

}  // namespace dsf
