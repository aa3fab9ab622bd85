#include "engine/audio/audio_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>

#include "kernels/common/checks.h"
#include "tests/files_support.h"
#include "tests/worst.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

class AudioFile : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::path(::testing::TempDir()) /
        ("audio_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  fs::path directory_;
};

Audio tone(int rate, int channels, int frames) {
  Audio audio{rate, channels, {}};
  for (int i = 0; i < frames * channels; ++i) {
    audio.samples.push_back(
        static_cast<float>(0.9 * std::sin(2 * std::numbers::pi * 440 * (i / channels) / rate)));
  }
  return audio;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(AudioFile, EveryFormatComesBackToItsPrecision) {
  // Rounding to an integer is half a step off; full scale is one step below the reader's.
  const std::map<std::string, double> steps = {
      {"wav16", 1.5 * 0x1p-15}, {"wav24", 1.5 * 0x1p-23}, {"wavfloat", 0}, {"flac", 1.5 * 0x1p-23}};
  for (const auto& [name, step] : steps) {
    for (const int channels : {1, 2}) {
      const Audio audio = tone(44100, channels, 70001);  // more than one of the reader's pieces
      const AudioFormat format = parse_audio_format(name);
      const fs::path path = directory_ / (name + std::string(audio_extension(format)));
      write_audio(path, audio, format);
      const Audio read = read_audio(path);
      EXPECT_EQ(read.sample_rate, 44100);
      EXPECT_EQ(read.channels, channels);
      ASSERT_EQ(read.samples.size(), audio.samples.size()) << name;
      double worst = 0;
      for (size_t i = 0; i < read.samples.size(); ++i) {
        worst = testing::worse(worst, std::abs(read.samples[i] - audio.samples[i]));
      }
      EXPECT_LE(worst, step) << name;
    }
  }
}

TEST_F(AudioFile, IntegersClip) {
  Audio audio{44100, 1, {1.5F, -1.5F, 0.0F}};
  write_audio(directory_ / "a.wav", audio, AudioFormat::wav16);
  const Audio read = read_audio(directory_ / "a.wav");
  EXPECT_NEAR(read.samples[0], 1.0F, 0x1p-15);
  EXPECT_NEAR(read.samples[1], -1.0F, 0x1p-15);
  EXPECT_EQ(read.samples[2], 0.0F);
}

// Sizes beyond 32 bits would wrap around: the file would be written, and be read as a short one.
TEST_F(AudioFile, WhatAWavCannotHoldIsRefusedBeforeItIsWritten) {
  constexpr int64_t kLimit = int64_t{1} << 32;
  for (const auto& [format, sample_bytes] :
       {std::pair{AudioFormat::wav16, 2}, {AudioFormat::wav24, 3}, {AudioFormat::wav_float, 4}}) {
    for (const int channels : {1, 2, 7}) {
      const int64_t most = max_audio_frames(format, channels);
      EXPECT_LE(most * channels * sample_bytes, kLimit - 100) << "no place for headers";
      EXPECT_GT(most * channels * sample_bytes, kLimit - 2000);
      EXPECT_NO_THROW(check_audio_length("a.wav", format, channels, most));
      const std::string message =
          error_of([&] { check_audio_length("a.wav", format, channels, most + 1); });
      EXPECT_NE(message.find(fmt::format("a.wav: not written: {} samples of {} channels, a wav",
                                         most + 1, channels)),
                std::string::npos)
          << message;
    }
  }
  EXPECT_GT(max_audio_frames(AudioFormat::flac, 2), kLimit);
}

TEST_F(AudioFile, ClippedSamplesAreCounted) {
  const Audio audio{44100, 1, {1, -1, 1.0001F, -1.5F, 0}};
  const auto clipped = [&](AudioFormat format) {
    return write_audio(directory_ / "a", audio, format).clipped;
  };
  EXPECT_EQ(clipped(AudioFormat::wav16), 2);
  EXPECT_EQ(clipped(AudioFormat::flac), 2);
  EXPECT_EQ(clipped(AudioFormat::wav_float), 0);
}

/// Sound that comes in parts of its own choosing.
class DrippingView : public AudioView {
 public:
  using AudioView::AudioView;
  std::span<const float> read(int64_t frames) override {
    return AudioView::read(std::min<int64_t>(frames, 1237));
  }
};

TEST_F(AudioFile, PartsOfASourceChangeNothing) {
  const fs::path whole = directory_ / "whole", parts = directory_ / "parts";
  for (const char* name : {"wav16", "wav24", "wavfloat", "flac"}) {
    const AudioFormat format = parse_audio_format(name);
    for (const int channels : {1, 2}) {
      Audio audio = tone(44100, channels, 70001);
      audio.samples[5] = 1.5F;
      audio.samples.back() = -2;
      write_audio(whole, audio, format);
      DrippingView source(audio);
      const std::optional<WrittenAudio> written = write_audio(parts, source, format);
      ASSERT_TRUE(written);
      EXPECT_EQ(written->frames, 70001);
      EXPECT_EQ(written->clipped, format == AudioFormat::wav_float ? 0 : 2);
      EXPECT_TRUE(files_test::bytes_of(whole) == files_test::bytes_of(parts))
          << name << ' ' << channels;
    }
  }
}

TEST_F(AudioFile, AWriteThatIsEndedLeavesTheOldFile) {
  const fs::path path = directory_ / "a.wav";
  const Audio audio = tone(44100, 1, 200'000);
  for (const bool old : {false, true}) {
    if (old) write_audio(path, tone(44100, 1, 100), AudioFormat::wav16);
    std::vector<int64_t> told;
    AudioView source(audio);
    EXPECT_FALSE(write_audio(path, source, AudioFormat::wav16, [&](int64_t frames) {
      told.push_back(frames);
      return frames < 100'000;
    }));
    EXPECT_EQ(told, (std::vector<int64_t>{65536, 131072}));
    EXPECT_EQ(files(), old ? 1U : 0U);
  }
  EXPECT_EQ(read_audio(path).frames(), 100);
}

TEST_F(AudioFile, AFullDiskLeavesTheOldFile) {
  const fs::path path = directory_ / "a";
  for (const char* name : {"wav16", "wav24", "wavfloat", "flac"}) {
    const AudioFormat format = parse_audio_format(name);
    write_audio(path, tone(44100, 1, 100), format);
    for (const int frames : {300, 200'000}) {  // noticed at the end; while writing
      EXPECT_EQ(error_of([&] {
                  const files_test::LimitedFileSize limit(100);
                  write_audio(path, tone(44100, 1, frames), format);
                }),
                path.string() + ": cannot write: File too large")
          << name << ' ' << frames;
      EXPECT_EQ(read_audio(path).frames(), 100);
      EXPECT_EQ(files(), 1U);
    }
  }
}

/// Silence without a place in memory.
class Silence : public AudioSource {
 public:
  explicit Silence(int64_t frames) : left_(frames) {}
  int sample_rate() const override { return 44100; }
  int channels() const override { return 1; }
  std::span<const float> read(int64_t frames) override {
    part_.resize(static_cast<size_t>(std::min(frames, left_)));
    left_ -= std::ssize(part_);
    return part_;
  }
  void rewind() override {}

 private:
  int64_t left_;
  std::vector<float> part_;
};

TEST_F(AudioFile, ALongSourceIsWrittenInBoundedMemory) {
  constexpr int64_t kFrames = 1 << 24;  // 32 MiB
  Silence source(kFrames);
  constexpr uint64_t kMegabytes = 1 << 20;
  EXPECT_LT(files_test::peak_growth(
                [&] { write_audio(directory_ / "a.wav", source, AudioFormat::wav16); }),
            8 * kMegabytes);
  EXPECT_EQ(fs::file_size(directory_ / "a.wav"), 2 * kFrames + 44);
}

TEST_F(AudioFile, BadSamplesLeaveTheOldFile) {
  const fs::path path = directory_ / "a.wav";
  write_audio(path, tone(44100, 1, 100), AudioFormat::wav_float);
  Audio bad = tone(44100, 1, 50);
  bad.samples[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(error_of([&] { write_audio(path, bad, AudioFormat::wav_float); }).find("sample 7"),
            std::string::npos);
  EXPECT_EQ(read_audio(path).frames(), 100);
  EXPECT_EQ(files(), 1U);
}

TEST_F(AudioFile, ErrorsNameTheFile) {
  const fs::path missing = directory_ / "no" / "a.wav";
  EXPECT_NE(error_of([&] {
              write_audio(missing, tone(44100, 1, 10), AudioFormat::wav16);
            }).find(missing.string()),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_audio(missing); }).find(missing.string()), std::string::npos);
  const Audio silly{44100, 4000, std::vector<float>(4000)};
  const fs::path path = directory_ / "a.flac";
  EXPECT_NE(error_of([&] { write_audio(path, silly, AudioFormat::flac); }).find("4000 channels"),
            std::string::npos);
  EXPECT_EQ(files(), 0U);
  EXPECT_THROW(parse_audio_format("mp3"), UsageError);
}

TEST_F(AudioFile, ManyChannelsTakeNoMemoryOfTheirOwn) {
  const fs::path path = directory_ / "wide.wav";
  write_audio(path, tone(44100, 1000, 3), AudioFormat::wav16);
  constexpr uint64_t kMegabytes = 1 << 20;
  EXPECT_LT(files_test::peak_growth([&] { EXPECT_EQ(read_audio(path).frames(), 3); }),
            16 * kMegabytes);
}

TEST_F(AudioFile, DamagedFilesAreErrors) {
  const fs::path path = directory_ / "a.flac";
  write_audio(path, tone(44100, 1, 200000), AudioFormat::flac);
  const auto size = fs::file_size(path);
  fs::resize_file(path, size / 2);
  EXPECT_NE(error_of([&] { read_audio(path); }).find(path.string()), std::string::npos);
  fs::resize_file(path, 3);
  EXPECT_NE(error_of([&] { read_audio(path); }).find(path.string()), std::string::npos);
  std::ofstream(directory_ / "text.wav") << "no sound at all, and not RIFF either";
  EXPECT_THROW(read_audio(directory_ / "text.wav"), Error);
}

}  // namespace
}  // namespace dsf
