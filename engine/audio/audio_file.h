#pragma once
// Sound files: WAV and FLAC, by libsndfile.
#include <filesystem>
#include <string_view>

#include "engine/audio/audio.h"

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
/// How many samples are beyond ±1, where the format's integers clip them; 0 for floats.
int64_t count_clipped(const Audio& audio, AudioFormat format);

/// Replaces `path` as a whole or, on an Error, leaves it as it was. Integer formats clip at ±1;
/// samples that are not finite are an Error.
void write_audio(const std::filesystem::path& path, const Audio& audio, AudioFormat format);

/// Reads any file that libsndfile understands. An Error names the file and what is wrong with it.
Audio read_audio(const std::filesystem::path& path);

}  // namespace dsf
