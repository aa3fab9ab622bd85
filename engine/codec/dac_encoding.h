#pragma once
// From sound to a .dac file, as the `dac` package encodes it.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "engine/audio/audio_source.h"
#include "engine/codec/codec.h"
#include "engine/codec/codec_encoder.h"
#include "engine/files/dac_file.h"

namespace dsf {

struct EncodeOptions {
  int64_t n_codebooks = 4;               // leading ones, at most the codec's
  double window_seconds = 5;             // sound that is longer is encoded in windows
  std::optional<double> loudness = -16;  // LUFS that it is brought to; empty: left as it is
};

/// Told during a long encode how many frames of the source were read, of which it reads each twice;
/// false ends it there.
using EncodeProgress = std::function<bool(int64_t frames)>;

/// Encodes one sound after the other, in memory that does not grow with their length (but by their
/// codes). One of these per thread.
class DacEncoder {
 public:
  /// `codec` must outlive it, and have been loaded with its encoder. Windows in which the codec's
  /// layers leave nothing are a UsageError.
  DacEncoder(const Codec& codec, const EncodeOptions& options);

  /// The sound is resampled to the codec's rate, measured, brought to the options' loudness, each
  /// channel then scaled so that no sample is beyond 1, and encoded: in one piece, with padding, if
  /// not longer than a window, else in windows without. An Error for sound without a sample, of
  /// more channels than loudness is defined for, or of a rate that cannot be resampled.
  /// Where `progress` ends it, nothing.
  std::optional<DacFile> encode(AudioSource& source, const EncodeProgress& progress = {});

  /// Whether a file has the codebooks and windows that sound of so many channels at `sample_rate`
  /// gets here. What loudness it was brought to, and by which codec it was made, a file does not
  /// say.
  bool made_alike(const DacFile& file, int channels, int sample_rate) const;

 private:
  CodecWindows windows_for(int64_t frames) const;
  CodecEncoder& encoder_for(int64_t samples);

  const Codec& codec_;
  EncodeOptions options_;
  CodecWindows windows_;
  std::unique_ptr<CodecEncoder> encoder_;
  int64_t encoder_samples_ = 0;  // that `encoder_` takes
};

/// Calls work(encoder, index) for every index below `count`, until `stop`, on as many threads as do
/// it fastest, with an encoder for each.
void encode_each(const Codec& codec, const EncodeOptions& options, size_t count,
                 const std::atomic<bool>& stop,
                 const std::function<void(DacEncoder& encoder, size_t index)>& work);

}  // namespace dsf
