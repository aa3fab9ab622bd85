// dsf_codec encode as a user runs it.
#include <chrono>
#include <filesystem>
#include <fstream>

#include "engine/audio/audio_file.h"
#include "engine/codec/dac_encoding.h"
#include "engine/codec/encode_files.h"
#include "tests/codec_app.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::Program;

Audio make_audio(uint32_t seed, int channels = 1, int rate = 44100, double seconds = 0.3) {
  Audio audio{rate, channels, {}};
  const auto count = static_cast<size_t>(seconds * rate) * static_cast<size_t>(channels);
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525U + 1013904223U;
    audio.samples.push_back(static_cast<float>(seed >> 8U) / 8388608.0F * 0.2F - 0.2F);
  }
  return audio;
}

class EncodeApp : public testing::CodecAppTest {
 protected:
  EncodeApp() : CodecAppTest("encode") {}

  void SetUp() override {
    CodecAppTest::SetUp();
    fs::create_directories(directory_ / "in/wind/soft");
    write_audio(directory_ / "in/rain.wav", make_audio(1), AudioFormat::wav16);
    write_audio(directory_ / "in/wind/gust.flac", make_audio(2), AudioFormat::flac);
    write_audio(directory_ / "in/wind/soft/breeze.x.WAV", make_audio(3), AudioFormat::wav_float);
    std::ofstream(directory_ / "in/wind/notes.txt") << "not a sound";
  }

  DacFile expected(const fs::path& input, const EncodeOptions& options = {}, bool mono = false) {
    AudioFileSource source(directory_ / input);
    MonoMix mix(source);
    return DacEncoder(codec_, options)
        .encode(mono ? static_cast<AudioSource&>(mix) : source)
        .value();
  }

  const Codec codec_ = Codec::load(kWeights, {}, CodecUse::encode);
};

TEST_F(EncodeApp, AFolderIsMirrored) {
  write_audio(directory_ / "alone.wav", make_audio(4), AudioFormat::wav24);
  expect({"in/", "alone.wav", "--output", "out"}, 0, {"4 of 4 files", "out", "real time"});
  EXPECT_EQ(files("out"), (std::vector<std::string>{"alone.dac", "rain.dac", "wind/gust.dac",
                                                    "wind/soft/breeze.x.dac"}));
  EXPECT_EQ(read_dac(directory_ / "out/wind/gust.dac"), expected("in/wind/gust.flac"));
  EXPECT_EQ(read_dac(directory_ / "out/wind/soft/breeze.x.dac"),
            expected("in/wind/soft/breeze.x.WAV"));
}

TEST_F(EncodeApp, OptionsAreThoseOfTheDacCommand) {
  expect({"in/rain.wav", "--output", "out", "--n-quantizers", "2", "--win-duration", "0.5",
          "--normalize-db", "off"},
         0, {"1 of 1 file to "});
  EXPECT_EQ(read_dac(directory_ / "out/rain.dac"), expected("in/rain.wav", {2, 0.5, std::nullopt}));
  expect({"in/rain.wav", "--output", "all", "--n-quantizers", "9"}, 0, {"1 of 1 file to "});
  EXPECT_EQ(read_dac(directory_ / "all/rain.dac").n_codebooks, codec_.config().n_codebooks);
}

TEST_F(EncodeApp, FinishedFilesAreSkipped) {
  expect({"in", "--output", "out"}, 0, {"encoded 3 of 3 files"});
  expect({"in", "--output", "out"}, 0, {"3 files encoded already", "encoded 0 of 3"});
  expect({"in", "--output", "out", "--overwrite"}, 0, {"encoded 3 of 3 files"});
  // Other codebooks, a newer input, a damaged output: not finished.
  expect({"in", "--output", "out", "--n-quantizers", "3"}, 0, {"encoded 3 of 3 files"});
  expect({"in", "--output", "out"}, 0, {"encoded 3 of 3 files"});
  fs::last_write_time(directory_ / "in/rain.wav",
                      fs::last_write_time(directory_ / "out/rain.dac") + std::chrono::seconds(1));
  fs::resize_file(directory_ / "out/wind/gust.dac", 100);
  expect({"in", "--output", "out"}, 0, {"1 file encoded already", "encoded 2 of 3 files"});
  EXPECT_EQ(read_dac(directory_ / "out/wind/gust.dac"), expected("in/wind/gust.flac"));
}

TEST_F(EncodeApp, FilesOfAnotherKindAreNotFinished) {
  write_audio(directory_ / "stereo.wav", make_audio(7, 2), AudioFormat::wav16);
  const auto encode = [&](const std::vector<std::string>& more, int count) {
    std::vector<std::string> words = {"stereo.wav", "--output", "out"};
    words.insert(words.end(), more.begin(), more.end());
    expect(words, 0, {fmt::format("encoded {} of 1 file to ", count)});
  };
  encode({}, 1);
  encode({"--mono"}, 1);
  EXPECT_EQ(read_dac(directory_ / "out/stereo.dac").channels, 1);
  encode({"--mono"}, 0);
  encode({}, 1);
  encode({}, 0);
  // In windows, and in others.
  write_audio(directory_ / "stereo.wav", make_audio(7, 2, 44100, 1.5), AudioFormat::wav16);
  encode({}, 1);
  encode({"--win-duration", "1"}, 1);
  encode({"--win-duration", "1"}, 0);
  encode({"--win-duration", "0.9"}, 1);
  EXPECT_EQ(read_dac(directory_ / "out/stereo.dac"),
            expected("stereo.wav", EncodeOptions{4, 0.9, -16}));
  encode({"--win-duration", "4"}, 1);
  EXPECT_TRUE(read_dac(directory_ / "out/stereo.dac").metadata.padding);
  encode({}, 0);  // in one piece, too
  // Resampled.
  write_audio(directory_ / "stereo.wav", make_audio(7, 2, 48000, 1.501), AudioFormat::wav16);
  encode({"--win-duration", "1"}, 1);
  encode({"--win-duration", "1"}, 0);
  encode({}, 1);
  encode({}, 0);
}

TEST_F(EncodeApp, BadFilesAreReportedAndTheOthersAreEncoded) {
  std::ofstream(directory_ / "in/empty.wav").close();
  std::ofstream(directory_ / "in/text.wav") << "not a sound at all, though it says so";
  write_audio(directory_ / "in/nothing.wav", {44100, 1, {}}, AudioFormat::wav16);
  write_audio(directory_ / "in/surround.wav", make_audio(5, 6), AudioFormat::wav16);
  write_audio(directory_ / "in/cut.flac", make_audio(6, 1, 44100, 3), AudioFormat::flac);
  fs::resize_file(directory_ / "in/cut.flac", fs::file_size(directory_ / "in/cut.flac") / 2);
  expect({"in", "absent.wav", "--output", "out"}, 1,
         {"in/empty.wav: ", "in/text.wav: ", "in/nothing.wav: there is no sound in it",
          "in/surround.wav: 6 channels", "in/cut.flac: ", "absent.wav: ", "encoded 3 of 9 files"});
  EXPECT_EQ(files("out"),
            (std::vector<std::string>{"rain.dac", "wind/gust.dac", "wind/soft/breeze.x.dac"}));
}

TEST_F(EncodeApp, SamplesThatAreNoNumbersAreRefused) {
  // write_audio would refuse them, too: bytes of a float WAV are replaced.
  const fs::path path = directory_ / "nan.wav";
  write_audio(path, make_audio(1), AudioFormat::wav_float);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  file.seekp(-400, std::ios::end);
  file.write(reinterpret_cast<const char*>(&nan), sizeof nan);
  file.close();
  expect({"nan.wav", "--output", "out"}, 1, {"nan.wav: frame 13130: a sample is nan"});
}

TEST_F(EncodeApp, ChannelsAreKeptOrMixed) {
  write_audio(directory_ / "stereo.wav", make_audio(7, 2), AudioFormat::wav_float);
  write_audio(directory_ / "surround.wav", make_audio(8, 6), AudioFormat::wav_float);
  expect({"stereo.wav", "--output", "out"}, 0, {"1 of 1"});
  EXPECT_EQ(read_dac(directory_ / "out/stereo.dac"), expected("stereo.wav"));
  EXPECT_EQ(read_dac(directory_ / "out/stereo.dac").channels, 2);
  expect({"stereo.wav", "surround.wav", "--output", "mono", "--mono"}, 0, {"2 of 2"});
  EXPECT_EQ(read_dac(directory_ / "mono/stereo.dac"), expected("stereo.wav", {}, true));
  EXPECT_EQ(read_dac(directory_ / "mono/surround.dac").channels, 1);
}

TEST_F(EncodeApp, WhatItWritesIsDecoded) {
  ASSERT_EQ(run({"in", "--output", "out"}).exit_code, 0);
  const Outcome outcome = Program(directory_, {"dsf_codec", "decode", "out", "--output", "back",
                                               "--weights", kWeights, "--format", "wavfloat"})
                              .wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(read_audio(directory_ / "back/rain.wav").frames(), make_audio(1).frames());
}

TEST_F(EncodeApp, TwoInputsForOneOutputAreRefused) {
  write_audio(directory_ / "in/rain.flac", make_audio(9), AudioFormat::flac);
  expect({"in", "--output", "out"}, 2, {"in/rain.wav", "would both become out/rain.dac"});
}

TEST_F(EncodeApp, InterruptedItLeavesWholeFilesOnly) {
  write_audio(directory_ / "long.wav", make_audio(9, 1, 44100, 600), AudioFormat::wav16);
  Program program(directory_, {"dsf_codec", "encode", "in/rain.wav", "long.wav", "--output", "out",
                               "--weights", kWeights});
  for (int i = 0; i < 3000 && !fs::exists(directory_ / "out/rain.dac"); ++i) usleep(10'000);
  program.interrupt();
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_EQ(files("out"), std::vector<std::string>{"rain.dac"});
}

TEST_F(EncodeApp, MisuseIsExplained) {
  const Outcome help = Program(directory_, {"dsf_codec", "--help"}).wait();
  EXPECT_NE(help.output.find("130 interrupted"), std::string::npos) << help.output;
  expect({"in", "--output", "out", "--normalize-db", "loud"}, 2, {"--normalize-db 'loud'", "off"});
  expect({"in", "--output", "out", "--normalize-db", "3"}, 2, {"-70 to 0"});
  expect({"in", "--output", "out", "--n-quantizers", "0"}, 2, {"--n-quantizers"});
  expect({"in", "--output", "out", "--win-duration", "-1"}, 2, {"--win-duration"});
  expect({"in", "--output", "out", "--win-duration", "nan"}, 2,
         {"--win-duration: 'nan': expected a number from 0.01 to 3600"});
  expect({"in", "--output", "out", "--win-duration", "0.1"}, 2, {"windows of 0.1 s"});
  EXPECT_FALSE(fs::exists(directory_ / "out"));
  expect({"in"}, 2, {"--output"});
  expect({"in", "--output", "out"}, 2, {"--weights", "release 0.0.1"}, "");
  std::ofstream(directory_ / "text.wav") << "no sound at all";
  expect({"text.wav", "--output", "out"}, 1,
         {"text.wav: no sound of a known format, expected WAV, FLAC"});
  fs::create_directories(directory_ / "nothing");
  expect({"nothing", "in", "--output", "out"}, 1, {"nothing: no sound files", "encoded 3 of 4"});
}

}  // namespace
}  // namespace dsf
