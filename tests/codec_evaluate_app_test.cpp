// dsf_codec evaluate as a user runs it.
#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/audio/audio_file.h"
#include "engine/audio/resample.h"
#include "kernels/common/random.h"
#include "tests/codec_app.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;

Audio make_noise(uint64_t seed, int64_t frames, float level = 0.2F, int channels = 1,
                 int rate = 44100) {
  Audio audio{rate, channels, {}};
  for (uint64_t i = 0; i < static_cast<uint64_t>(frames * channels); ++i) {
    audio.samples.push_back(level * (2 * to_unit(random_words({seed, 1, 0}, i)[0]) - 1));
  }
  return audio;
}

class EvaluateApp : public testing::CodecAppTest {
 protected:
  EvaluateApp() : CodecAppTest("evaluate") {}

  void write(const fs::path& name, const Audio& audio) {
    fs::create_directories((directory_ / name).parent_path());
    write_audio(directory_ / name, audio, AudioFormat::wav_float);
  }
  void expect_output(const std::vector<std::string>& words, int code,
                     const std::vector<std::string>& parts) {
    expect(words, code, parts, "");  // it takes no codec
  }
};

TEST_F(EvaluateApp, TwoFilesAreCompared) {
  const Audio noise = make_noise(1, 30000);
  write("a.wav", noise);
  write("b.wav", make_noise(1, 30000, 0.1F));
  // A gain of −6.02 dB: log10 2 in mel distance.
  expect_output({"a.wav", "b.wav"}, 0,
                {"mel distance", "SI-SDR, dB", "b.wav        0.3010             6.021         inf",
                 "-6.02\n"});
  const Outcome outcome = run({"a.wav", "b.wav"}, "");
  EXPECT_EQ(outcome.output.find("mean"), std::string::npos);
}

TEST_F(EvaluateApp, FoldersArePairedByName) {
  write("a/rain.wav", make_noise(1, 30000));
  write("a/wind/gust.x.wav", make_noise(2, 30000));
  write("a/alone.wav", make_noise(3, 30000));
  write("b/rain.wav", make_noise(1, 30000, 0.1F));
  fs::create_directories(directory_ / "b/wind");
  write_audio(directory_ / "b/wind/gust.x.flac", make_noise(2, 30000), AudioFormat::flac);
  write("b/other.wav", make_noise(4, 30000));
  expect_output({"a", "b"}, 0,
                {"a/alone.wav: no file of the other folder has its name",
                 "b/other.wav: no file of the other folder has its name", "rain", "wind/gust.x",
                 "mean", "0.3010"});
}

TEST_F(EvaluateApp, SilenceIsNotPerfect) {
  write("a/same.wav", make_noise(1, 30000));
  write("b/same.wav", make_noise(1, 30000));
  write("a/lost.wav", make_noise(2, 30000));
  write("b/lost.wav", make_noise(2, 30000, 0));
  const Outcome outcome = run({"a", "b"}, "");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(outcome.output.find("nan"), std::string::npos) << outcome.output;
  const size_t first = outcome.output.find("-inf");
  ASSERT_NE(first, std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("-inf", first + 1), std::string::npos) << outcome.output;  // mean
}

TEST_F(EvaluateApp, WhatDiffersIsSaid) {
  write("a.wav", make_noise(1, 30000));
  write("longer.wav", make_noise(1, 30441));
  expect_output(
      {"a.wav", "longer.wav"}, 0,
      {"longer.wav: it is 0.010 s longer (441 of 30441 samples); that is left out", "inf"});
  expect_output({"longer.wav", "a.wav"}, 0, {"a.wav: the reference is 0.010 s longer"});
  const Audio stereo = make_noise(5, 30000, 0.2F, 2);
  write("stereo.wav", stereo);
  expect_output({"a.wav", "stereo.wav"}, 0,
                {"stereo.wav: 2 channels, the reference has 1; both are mixed down to one"});
  write("six.wav", make_noise(5, 30000, 0.2F, 6));
  expect_output({"six.wav", "six.wav"}, 0, {"6 channels, which are mixed down to one", "inf"});
  // Resampled there and back it is the same but for the filter's edge at 0.945 of half the rate.
  Audio low = make_noise(6, 20000, 0.2F, 1, 22050);
  write("low.wav", low);
  write("high.wav", resample(low, 44100));
  expect_output({"low.wav", "high.wav"}, 0,
                {"high.wav: 44100 Hz, resampled to the reference's 22050"});
}

TEST_F(EvaluateApp, BadFilesAreReportedAndTheOthersAreCompared) {
  write("a/rain.wav", make_noise(1, 30000));
  write("b/rain.wav", make_noise(1, 30000, 0.1F));
  write("a/text.wav", make_noise(1, 3000));
  std::ofstream(directory_ / "b/text.wav") << "not a sound at all";
  write("a/nothing.wav", make_noise(1, 3000));
  write("b/nothing.wav", {44100, 1, {}});
  expect_output({"a", "b"}, 1,
                {"b/text.wav: ", "b/nothing.wav: there is no sound in it", "0.3010", "mean"});
  const Outcome outcome = run({"b/text.wav", "a/rain.wav"}, "");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(outcome.output.starts_with("b/text.wav: ")) << outcome.output;
}

TEST_F(EvaluateApp, LowRatesAreComparedOrExplained) {
  write("a.wav", make_noise(1, 20000, 0.2F, 1, 2000));
  write("b.wav", make_noise(1, 20000, 0.1F, 1, 2000));
  expect_output({"a.wav", "b.wav"}, 0, {"-6.02\n"});
  write("slow.wav", make_noise(1, 3000, 0.2F, 1, 80));
  expect_output({"slow.wav", "slow.wav"}, 1,
                {"slow.wav: a sample rate of 80 Hz is too low to measure loudness"});
}

TEST_F(EvaluateApp, MisuseIsExplained) {
  expect_output({"--help"}, 0, {"2 misused", "130 interrupted"});
  write("a/rain.wav", make_noise(1, 3000));
  write("b/wind.wav", make_noise(1, 3000));
  expect_output({"a", "b/wind.wav"}, 2, {"expected two folders or two sound files"});
  expect_output({"a", "b"}, 1, {"no sound file of a has a partner in b"});
  const std::string absent = ": there is no such file or folder";
  expect_output({"a/rain.wav", "absent.wav"}, 1, {"dsf_codec: absent.wav" + absent});
  expect_output({"absent.wav", "a/rain.wav"}, 1, {"dsf_codec: absent.wav" + absent});
  expect_output({"absent", "a"}, 1, {"dsf_codec: absent" + absent});
  expect_output({"a"}, 2, {"OTHER"});
  write_audio(directory_ / "a/rain.flac", make_noise(1, 3000), AudioFormat::flac);
  expect_output({"a", "b"}, 2, {"a/rain.flac and a/rain.wav would both be paired as rain"});
}

}  // namespace
}  // namespace dsf
