// A .dac file's sound: windows, loudness, rate, length, channels.
#include "engine/codec/dac_decoding.h"

#include <gtest/gtest.h>

#include "engine/audio/loudness.h"
#include "engine/audio/resample.h"
#include "tests/random_codec.h"

namespace dsf {
namespace {

using testing::random_codes;
using testing::RandomCodec;
using testing::small_codec;

constexpr int64_t kFrames = 700;

class DacDecoding : public ::testing::Test {
 protected:
  /// A file as `dac` encodes one in one piece, of frames of 8 samples.
  DacFile make_file(int64_t channels = 1, int64_t codebooks = 3, int64_t frames = kFrames) const {
    DacFile file;
    file.channels = channels;
    file.n_codebooks = codebooks;
    file.frames = frames;
    const std::vector<int32_t> codes = random_codes(codec_.config(), channels * codebooks, frames);
    file.codes.assign(codes.begin(), codes.end());
    file.metadata = {-23.5F, frames * 8, 8000, frames, channels, true, "1.0.0"};
    return file;
  }
  /// What decode_windows gives for a file's channel, at the file's loudness.
  std::vector<float> normalised_windows(const DacFile& file, int64_t channel = 0) const {
    const auto begin = file.codes.begin() + channel * file.n_codebooks * file.frames;
    const std::vector<int32_t> codes(begin, begin + file.n_codebooks * file.frames);
    std::vector<float> samples =
        codec_.decode_windows({codes.data(), {file.n_codebooks, file.frames}},
                              file.metadata.chunk_length, file.metadata.padding);
    normalize_loudness(samples, 1, 8000, static_cast<double>(file.metadata.input_db));
    return samples;
  }
  /// The whole sound, each step done with all that the one before it gives.
  Audio step_by_step(const DacFile& file) const {
    Audio audio{8000, static_cast<int>(file.channels), {}};
    for (int64_t channel = 0; channel < file.channels; ++channel) {
      put_channel(audio, channel, normalised_windows(file, channel));
    }
    audio = resample(audio, static_cast<int>(file.metadata.sample_rate));
    const int64_t length = std::min(audio.frames(), file.metadata.original_length);
    audio.samples.resize(static_cast<size_t>(length * file.channels));
    return audio;
  }

  Codec codec_{RandomCodec(small_codec({4, 2})).weights()};
};

TEST_F(DacDecoding, HasTheFilesLoudnessAndLength) {
  const DacFile file = make_file();
  const Audio audio = decode_dac(codec_, file);
  EXPECT_EQ(audio.sample_rate, 8000);
  EXPECT_EQ(audio.channels, 1);
  EXPECT_EQ(audio.frames(), kFrames * 8);
  EXPECT_EQ(audio.samples, normalised_windows(file));
  // Gain and samples round to float: 2^-24 of a power is 5e-7 LU.
  EXPECT_NEAR(integrated_loudness(audio.samples, 1, 8000), -23.5, 1e-6);
}

TEST_F(DacDecoding, WindowsAndCodebooksAreTheFiles) {
  DacFile file = make_file(1, 2);
  file.metadata.chunk_length = 64;
  for (const bool padding : {true, false}) {
    file.metadata.padding = padding;
    file.metadata.original_length = int64_t{1} << 40;  // the codes hold less: all there is
    const Audio audio = decode_dac(codec_, file);
    EXPECT_EQ(audio.samples, normalised_windows(file));
    const int64_t whole = codec_.geometry().samples(64, padding) * 10;
    EXPECT_EQ(audio.frames(), whole + codec_.geometry().samples(60, padding));
  }
}

TEST_F(DacDecoding, LoudnessIsOfTheWholeAndTheCutComesLast) {
  DacFile file = make_file();
  file.metadata.original_length = 1001;
  const Audio audio = decode_dac(codec_, file);
  std::vector<float> expected = normalised_windows(file);
  expected.resize(1001);
  EXPECT_EQ(audio.samples, expected);
}

TEST_F(DacDecoding, IsResampledToTheFilesRate) {
  DacFile file = make_file();
  file.metadata.sample_rate = 11025;
  file.metadata.original_length = 6000;
  const Audio audio = decode_dac(codec_, file);
  EXPECT_EQ(audio.sample_rate, 11025);
  ASSERT_EQ(audio.frames(), 6000);
  Audio expected = resample({8000, 1, normalised_windows(file)}, 11025);
  expected.samples.resize(6000);
  EXPECT_EQ(audio.samples, expected.samples);
}

TEST_F(DacDecoding, EveryChannelIsDecodedAndBroughtToTheLoudnessByItself) {
  const DacFile stereo = make_file(2);
  const Audio audio = decode_dac(codec_, stereo);
  ASSERT_EQ(audio.channels, 2);
  ASSERT_EQ(audio.frames(), kFrames * 8);
  for (size_t channel = 0; channel < 2; ++channel) {
    DacFile mono = make_file();
    const auto begin = stereo.codes.begin() + static_cast<int64_t>(channel) * 3 * kFrames;
    mono.codes.assign(begin, begin + 3 * kFrames);
    const Audio expected = decode_dac(codec_, mono);
    for (size_t i = 0; i < expected.samples.size(); ++i) {
      ASSERT_EQ(audio.samples[2 * i + channel], expected.samples[i]) << channel << ' ' << i;
    }
  }
}

TEST_F(DacDecoding, AStreamHasTheSamplesOfTheWhole) {
  constexpr int64_t kLong = 2500;  // more than is read, resampled or decoded at a time
  const std::filesystem::path folder = ::testing::TempDir();
  for (const auto& [channels, chunk, rate, length] :
       std::vector<std::tuple<int64_t, int64_t, int64_t, int64_t>>{
           {1, kLong, 8000, kLong * 8},
           {1, 64, 8000, 1001},
           {1, 1, 11025, int64_t{1} << 40},
           {1, int64_t{1} << 40, 44100, 90'001},
           {2, kLong, 8000, int64_t{1} << 40},
           {2, 300, 11025, 25'001},
           {2, 64, 5000, int64_t{1} << 40},
           {2, 64, 8000, 0},
           {3, 2499, 7999, 19'990}}) {
    SCOPED_TRACE(
        fmt::format("{} channels, chunks of {}, {} Hz, {} samples", channels, chunk, rate, length));
    DacFile file = make_file(channels, 3, kLong);
    file.metadata.chunk_length = chunk;
    file.metadata.sample_rate = rate;
    file.metadata.original_length = length;
    const Audio expected = step_by_step(file);
    EXPECT_EQ(expected.samples.empty(), length == 0);
    EXPECT_EQ(decode_dac(codec_, file).samples, expected.samples);

    SamplesInFile samples(folder, "sound");
    const std::unique_ptr<AudioSource> sound = stream_dac(codec_, file, samples);
    ASSERT_TRUE(sound);
    EXPECT_EQ(sound->sample_rate(), rate);
    EXPECT_EQ(sound->channels(), channels);
    EXPECT_EQ(read_all(*sound).samples, expected.samples);
    sound->rewind();
    std::vector<float> read;
    for (auto part = sound->read(937); !part.empty(); part = sound->read(937)) {
      ASSERT_LE(std::ssize(part), 937 * channels);
      read.insert(read.end(), part.begin(), part.end());
    }
    EXPECT_EQ(read, expected.samples) << "in small parts";
  }
}

TEST_F(DacDecoding, ARateThatCannotBeHadIsKnownBeforeTheWork) {
  DacFile file = make_file();
  file.metadata.sample_rate = 1;
  EXPECT_THROW(decode_dac(codec_, file,
                          [](int64_t) {
                            ADD_FAILURE() << "decoded";
                            return true;
                          }),
               Error);
}

TEST_F(DacDecoding, ProgressCountsAllChannelsAndCanEndIt) {
  const DacFile file = make_file(2);
  std::vector<int64_t> told;
  EXPECT_FALSE(decode_dac(codec_, file, [&](int64_t frames) {
                 told.push_back(frames);
                 return true;
               }).samples.empty());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_GT(told.size(), 2U);
  EXPECT_EQ(told.back(), 2 * kFrames);
  const Audio ended = decode_dac(codec_, file, [](int64_t frames) { return frames < kFrames + 1; });
  EXPECT_TRUE(ended.samples.empty());
}

TEST_F(DacDecoding, WhatCannotBeDecodedIsAnError) {
  const auto expect_error = [&](const DacFile& file, const char* part) {
    try {
      decode_dac(codec_, file);
      ADD_FAILURE() << "no error; expected one with: " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  DacFile file = make_file();
  file.codes[2 * kFrames + 9] = 16;
  expect_error(file, "code 16 of codebook 2 at frame 9");
  file = make_file(1, 4);
  expect_error(file, "[4, 700]");
  file = make_file();
  file.metadata.padding = false;
  file.metadata.chunk_length = 5;
  expect_error(file, "5 latent frames are too few");
  file = make_file();
  file.metadata.sample_rate = 1'000'000'000;
  expect_error(file, "1000000000 Hz");
  file.metadata.sample_rate = 1;
  expect_error(file, "256");
}

}  // namespace
}  // namespace dsf
