#pragma once
// Sound that is read part by part, so that its length takes no memory.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "engine/audio/audio.h"

namespace dsf {

class AudioSource {
 public:
  virtual ~AudioSource() = default;
  virtual int sample_rate() const = 0;
  virtual int channels() const = 0;
  /// The next frames, interleaved, at most `frames` of them and none at the end only; valid until
  /// the next call.
  virtual std::span<const float> read(int64_t frames) = 0;
  /// The next read begins at the first frame again.
  virtual void rewind() = 0;
};

/// All that is left of a source.
Audio read_all(AudioSource& source);

/// A file of any kind that libsndfile understands. An Error names the file and what is wrong with
/// it: it is no sound, a sample is not finite, it ends before its header says (WAV, AIFF and AU
/// when it is opened, FLAC, OGG and MP3 when its end is read).
class AudioFileSource : public AudioSource {
 public:
  explicit AudioFileSource(const std::filesystem::path& path);
  ~AudioFileSource() override;
  int sample_rate() const override;
  int channels() const override;
  std::span<const float> read(int64_t frames) override;
  void rewind() override;
  /// What the header says of its length, for progress: it may lie. 0 where it says nothing, and for
  /// lengths that cannot be meant.
  int64_t announced_frames() const;

 private:
  struct File;
  std::unique_ptr<File> file_;
};

/// Sound in memory, which must outlive it.
class AudioView : public AudioSource {
 public:
  explicit AudioView(const Audio& audio) : audio_(audio) {}
  int sample_rate() const override { return audio_.sample_rate; }
  int channels() const override { return audio_.channels; }
  std::span<const float> read(int64_t frames) override;
  void rewind() override { position_ = 0; }

 private:
  const Audio& audio_;
  size_t position_ = 0;
};

/// All channels of another source, which must outlive it, in one: their mean.
class MonoMix : public AudioSource {
 public:
  explicit MonoMix(AudioSource& source) : source_(source) {}
  int sample_rate() const override { return source_.sample_rate(); }
  int channels() const override { return 1; }
  std::span<const float> read(int64_t frames) override;
  void rewind() override { source_.rewind(); }

 private:
  AudioSource& source_;
  std::vector<float> mixed_;
};

}  // namespace dsf
