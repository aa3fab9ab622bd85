// dsf_infer --stream as a user runs it, with the model that comes with dsf.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/audio/audio_file.h"
#include "tests/program.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::Program;

/// A shell with dsf_infer as $infer, whose standard streams it can lead where it wants to.
class StreamApp : public ::testing::Test {
 protected:
  Outcome shell(const std::string& script) {
    const fs::path infer = fs::path(DSF_BINARY_DIR) / "dsf_infer";
    return Program(directory_, {"/bin/bash", "-c", "infer='" + infer.string() + "'; " + script},
                   {{"DSF_DATA", std::string(DSF_SOURCE_DIR) + "/data"}})
        .wait();
  }
  Audio heard(const std::string& name) { return read_audio(directory_ / name); }

  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::temp_directory_path() /
                 fmt::format("dsf_stream_{}_{}", test->name(), static_cast<int>(getpid()));
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path directory_;
};

TEST_F(StreamApp, ADurationIsAWavOfIt) {
  const Outcome outcome = shell(
      "$infer --stream --class DSBugs --duration 1 </dev/null >a.wav && "
      "$infer --stream --class DSBugs --duration 1 --chunk 7 </dev/null >b.wav && "
      "$infer --stream --class DSBugs --duration 1 --seed 2 </dev/null >c.wav");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const Audio a = heard("a.wav"), b = heard("b.wav"), c = heard("c.wav");
  EXPECT_EQ(a.frames(), 86 * 512);
  ASSERT_EQ(b.samples.size(), a.samples.size());
  double largest = 0;
  for (size_t i = 0; i < a.samples.size(); ++i) {
    largest = std::max<double>(largest, std::abs(a.samples[i] - b.samples[i]));
  }
  EXPECT_LE(largest, 1.1 / 32768) << "of other chunks";
  EXPECT_NE(a.samples, c.samples);
  EXPECT_NE(outcome.output.find("s of sound,"), std::string::npos) << outcome.output;
}

TEST_F(StreamApp, CodesAreDrawnAsTheModelSaysUnlessOptionsDo) {
  const fs::path convert = fs::path(DSF_BINARY_DIR) / "dsf_convert";
  const Outcome outcome =
      shell(convert.string() +
            " $DSF_DATA/models/textures.safetensors m.safetensors --weights-only "
            "--top-n 5 && stream='--stream --class DSBugs --duration 1' && "
            "$infer m.safetensors $stream </dev/null >model.wav && "
            "$infer m.safetensors $stream --top-n 5 </dev/null >same.wav && "
            "$infer m.safetensors $stream --top-n 1024 </dev/null >other.wav");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(heard("model.wav").samples, heard("same.wav").samples);
  EXPECT_NE(heard("model.wav").samples, heard("other.wav").samples);
}

TEST_F(StreamApp, AClosedPipeEndsItQuietly) {
  const Outcome outcome =
      shell("$infer --stream </dev/null | head -c 5000 | wc -c; echo code ${PIPESTATUS[0]}");
  EXPECT_EQ(outcome.output.find("error"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("5000\n"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("code 0\n"), std::string::npos) << outcome.output;
}

TEST_F(StreamApp, LinesMoveItAndOthersAreIgnored) {
  // The commands come once the first sound is there; the reader then lets 2 s more pass.
  const std::string script =
      "mkfifo lines; exec 3<>lines; "
      "$infer --stream --class DSBugs --stream-format f32 <&3 | "
      "{ head -c 176400; echo 'DSWind=1 over 50ms  # a wind' >&3; echo 'snow=1' >&3; sleep 0.5; "
      "head -c 352800; } >";
  const Outcome outcome = shell(script + "moved.f32");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("ignored: 'snow'"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("commands in 1 chunk"), std::string::npos) << outcome.output;
  const Outcome steady = shell(
      "$infer --stream --class DSBugs --stream-format f32 </dev/null | head -c 529200 >still.f32");
  ASSERT_EQ(steady.exit_code, 0) << steady.output;
  const std::string a = testing::read_text(directory_ / "moved.f32");
  const std::string b = testing::read_text(directory_ / "still.f32");
  ASSERT_EQ(a.size(), 529200U);
  ASSERT_EQ(b.size(), a.size());
  size_t first = 0;
  while (first < a.size() && a[first] == b[first]) ++first;
  EXPECT_GE(first, 176400U) << "changed before it was told to";
  // What was in the pipe and rendered already, and on busy cores some more.
  EXPECT_LE(first, 176400U + 88200);
}

TEST_F(StreamApp, InterruptedItEnds) {
  Program program(directory_,
                  {"/bin/bash", "-c",
                   fmt::format("exec '{}' --stream </dev/null >whole.wav",
                               (fs::path(DSF_BINARY_DIR) / "dsf_infer").string())},
                  {{"DSF_DATA", std::string(DSF_SOURCE_DIR) + "/data"}});
  const fs::path sound = directory_ / "whole.wav";
  for (int i = 0; i < 30'000 && (!fs::exists(sound) || fs::file_size(sound) < 10'000); ++i) {
    usleep(10'000);
  }
  program.interrupt();
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_NE(outcome.output.find("s of sound,"), std::string::npos) << outcome.output;
  EXPECT_EQ(44U + 2 * heard("whole.wav").samples.size(), fs::file_size(sound));
}

TEST_F(StreamApp, LoudnessIsMeasuredOnce) {
  const std::string play = "$infer --stream --duration 0.1 </dev/null 2>&1 >";
  const Outcome outcome =
      shell(play + "a.wav; ls .cache/dsf | wc -l; echo again; " + play +
            "b.wav; echo damaged; for f in .cache/dsf/*; do echo loud >$f; done; " + play +
            "c.wav; cmp a.wav b.wav && cmp a.wav c.wav && echo same");
  const auto count = [&](size_t from, size_t to) {
    return outcome.output.substr(from, to - from).find("measuring") != std::string::npos;
  };
  const size_t again = outcome.output.find("again"), damaged = outcome.output.find("damaged");
  ASSERT_NE(damaged, std::string::npos) << outcome.output;
  EXPECT_TRUE(count(0, again)) << outcome.output;
  EXPECT_FALSE(count(again, damaged)) << outcome.output;
  EXPECT_TRUE(count(damaged, outcome.output.size())) << outcome.output;
  EXPECT_NE(outcome.output.find("\n1\n"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("same"), std::string::npos) << outcome.output;
}

TEST_F(StreamApp, UnusualValuesAreWarnedOf) {
  const Outcome outcome =
      shell("echo 'param1=-7' | $infer --stream --param param1=9 --duration 4 >a.wav");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("'param1' is 9"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("'param1' is -7"), std::string::npos) << outcome.output;
}

TEST_F(StreamApp, MisuseIsExplained) {
  const auto refused = [&](const std::string& options, int code, const std::string& part) {
    const Outcome outcome = shell("$infer " + options + " </dev/null >sound");
    EXPECT_EQ(outcome.exit_code, code) << options;
    EXPECT_NE(outcome.output.find(part), std::string::npos) << options << ": " << outcome.output;
    EXPECT_EQ(fs::file_size(directory_ / "sound"), 0U) << options;
  };
  refused("--stream --stereo", 2, "--stereo");
  refused("--chunk 4", 2, "--stream");
  refused("--stream --chunk 0", 2, "chunks of 0 frames");
  refused("--stream --stream-format mp3", 2, "'mp3'");
  refused("--stream --class Snow", 2, "Snow");
  refused("--stream --duration 0", 2, "--duration 0");
  refused("--stream --duration nan", 2, "--duration nan");
  refused("--stream --osc 99999", 2, "--osc");
  refused("--stream --osc 0", 2, "--osc");
  refused("--stream --play --stream-format s16", 2, "--stream-format");
  refused("--stream --play --buffer nan", 2, "--buffer");
  refused("--stream --checkpoint best", 2, "--checkpoint best");
  refused("--stream --midi none.yaml", 1, "none.yaml");
  refused("--stream nowhere", 1, "nowhere");
  std::ofstream(directory_ / "bad.yaml") << "controllers: {1: snow}\n";
  refused("--stream --midi bad.yaml", 2, "bad.yaml:1");
}

}  // namespace
}  // namespace dsf
