// dsf_textures as a user runs it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "engine/audio/audio_file.h"
#include "engine/data/data_frame.h"
#include "engine/data/file_name_conditioning.h"
#include "engine/textures/texture.h"
#include "tests/program.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::Program;
using testing::read_text;

class TexturesApp : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::temp_directory_path() /
                 fmt::format("dsf_textures_{}_{}", test->name(), static_cast<int>(getpid()));
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  Outcome run(std::vector<std::string> words, testing::Rights rights = testing::Rights::ours) {
    words.insert(words.begin(), "dsf_textures");
    return Program(directory_, words, {}, rights).wait();
  }
  void expect(const std::vector<std::string>& words, int code,
              const std::vector<std::string>& parts) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                              << outcome.output;
    }
  }
  DataFrame frame(const std::string& name) const {
    Faults faults;
    DataFrame result = read_data_frame(directory_ / name, faults);
    EXPECT_EQ(faults.count(), 0U);
    return result;
  }
  /// Files in a folder, by name, with their bytes.
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(directory_ / folder)) {
      if (!entry.is_regular_file()) continue;
      found[entry.path().lexically_relative(directory_ / folder).string()] =
          read_text(entry.path());
    }
    return found;
  }

  fs::path directory_;
};

TEST_F(TexturesApp, WritesSoundsAndFramesThatTrain) {
  expect({"--out", "set", "--count", "3", "--validation-count", "2", "--seconds", "0.5"}, 0,
         {"20 sounds in set", "10.0 s of sound", "real time"});
  EXPECT_EQ(files("set").size(), 22U);
  for (const auto& [name, folder, count] :
       {std::tuple{"set/dac-train.csv", "set/train-wav", size_t{12}},
        std::tuple{"set/dac-val.csv", "set/val-wav", size_t{8}}}) {
    const DataFrame data = frame(name);
    ASSERT_EQ(data.rows.size(), count);
    EXPECT_EQ(data.parameter_names, std::vector<std::string>{"param1"});
    EXPECT_EQ(data.class_names,
              (std::set<std::string>{"DSApplause", "DSBugs", "DSPistons", "DSWind"}));
    for (const DataFrame::Row& row : data.rows) {
      const fs::path encoded = row.file_name;
      ASSERT_EQ(encoded.extension(), ".dac");
      const Audio audio = read_audio(directory_ / folder / (encoded.stem().string() + ".wav"));
      EXPECT_EQ(audio.sample_rate, 44100);
      EXPECT_EQ(audio.channels, 1);
      EXPECT_EQ(audio.frames(), 22050);
      // The name says the same as the frame.
      const FileNameConditioning named = parse_file_name(encoded);
      EXPECT_EQ(named.class_name, row.class_name);
      EXPECT_NEAR(named.value, row.parameters.at(0), 0.00005);
    }
  }
  // The ends to train on, others for validation.
  const auto values = [&](const std::string& name) {
    std::set<float> found;
    for (const DataFrame::Row& row : frame(name).rows) found.insert(row.parameters.at(0));
    return found;
  };
  EXPECT_EQ(values("set/dac-train.csv"), (std::set<float>{0, 0.5F, 1}));
  EXPECT_EQ(values("set/dac-val.csv"), (std::set<float>{0.25F, 0.75F}));
}

TEST_F(TexturesApp, ASoundIsTheTakeThatItsPlaceSays) {
  expect({"--out", "set", "--classes", "bugs", "--count", "2", "--seconds", "0.5", "--seed", "9",
          "--format", "wavfloat"},
         0, {"2 sounds"});
  const Audio written = read_audio(directory_ / "set/train-wav/DSBugs--busyness-1.0000--x-001.wav");
  EXPECT_EQ(written.samples, make_texture({TextureKind::bugs, 1, 0.5, 9, 1}).samples);
}

TEST_F(TexturesApp, SameSeedSameBytes) {
  const auto make = [&](const std::string& out, const std::string& seed) {
    expect({"--out", out, "--count", "2", "--validation-count", "1", "--seconds", "0.3", "--seed",
            seed},
           0, {});
    return files(out);
  };
  const auto first = make("first", "5");
  EXPECT_EQ(first, make("second", "5"));
  EXPECT_EQ(first, make("first", "5")) << "made again in the same folder";
  const auto other = make("other", "6");
  std::set<std::string> contents;
  for (const auto& set : {first, other}) {
    for (const auto& [name, bytes] : set) {
      if (fs::path(name).extension() == ".wav") contents.insert(bytes);
    }
  }
  EXPECT_EQ(contents.size(), 24U) << "two sounds are alike";
}

TEST_F(TexturesApp, OptionsChooseClassesParameterAndFormat) {
  expect({"--out", "set", "--classes", "wind,DSApplause,wind", "--count", "2", "--seconds", "0.3",
          "--param", "0.7", "--format", "flac"},
         0, {"4 sounds"});
  const DataFrame data = frame("set/dac-train.csv");
  EXPECT_EQ(data.class_names, (std::set<std::string>{"DSApplause", "DSWind"}));
  for (const DataFrame::Row& row : data.rows) EXPECT_EQ(row.parameters.at(0), 0.7F);
  EXPECT_TRUE(fs::exists(directory_ / "set/train-wav/DSWind--strength-0.7000--x-001.flac"));
  EXPECT_FALSE(fs::exists(directory_ / "set/val-wav"));
  EXPECT_FALSE(fs::exists(directory_ / "set/dac-val.csv"));
}

TEST_F(TexturesApp, SoundsOfAnotherSetAreNotMixedIn) {
  expect({"--out", "set", "--count", "3", "--seconds", "0.1"}, 0, {});
  const auto before = files("set");
  expect({"--out", "set", "--count", "2", "--seconds", "0.1"}, 2,
         {"set/train-wav/DS", "another set", "folder"});
  EXPECT_EQ(files("set"), before);
}

TEST_F(TexturesApp, SoundsOfAnotherSeedAreNotReplaced) {
  for (const char* format : {"wav16", "flac", "wavfloat"}) {
    const auto words = [&](const char* seed, const char* seconds) {
      return std::vector<std::string>{"--out", format,   "--count", "1",        "--seconds",
                                      seconds, "--seed", seed,      "--format", format};
    };
    expect(words("0", "0.1"), 0, {});
    const auto before = files(format);
    expect(words("3", "0.1"), 2, {"train-wav/DS", "another seed or length", "folder"});
    expect(words("0", "0.2"), 2, {"another seed or length"});
    EXPECT_EQ(files(format), before);
    fs::remove(directory_ / format / before.begin()->first);
    expect(words("0", "0.1"), 0, {});
    EXPECT_EQ(files(format), before);
  }
}

TEST_F(TexturesApp, MisuseIsExplained) {
  expect({}, 2, {"--out"});
  expect({"--out", "set", "--classes", "rain"}, 2, {"'rain'", "pistons, wind, applause, bugs"});
  expect({"--out", "set", "--param", "1.5"}, 2, {"1.5", "0 to 1"});
  expect({"--out", "set", "--param", "nan"}, 2, {"nan", "0 to 1"});
  expect({"--out", "set", "--count", "0"}, 2, {"0 training sounds", "1 to 1000000"});
  expect({"--out", "set", "--validation-count", "-1"}, 2, {"-1 validation sounds"});
  expect({"--out", "set", "--seconds", "0"}, 2, {"0 s", "0.001 to 24000 s"});
  expect({"--out", "set", "--seconds", "1e9"}, 2, {"0.001 to 24000 s"});
  expect({"--out", "set", "--seed", "-1"}, 2, {"--seed: '-1': expected a whole number"});
  expect({"--out", "set", "--format", "mp3"}, 2, {"mp3", "wav16"});
  expect({"--out", "set", "--seed", "x"}, 2, {"--seed"});
  expect({"--out", "set", "surplus"}, 2, {"surplus"});
  EXPECT_FALSE(fs::exists(directory_ / "set"));
  expect({"--help"}, 0, {"Examples", "busyness", "dac-train.csv"});
  expect({"--version"}, 0, {"dsf"});
}

TEST_F(TexturesApp, AFolderThatCannotBeWrittenIsAnError) {
  std::ofstream(directory_ / "file") << "in the way";
  expect({"--out", "file", "--count", "1", "--seconds", "0.1"}, 1, {"file"});
  fs::create_directories(directory_ / "locked");
  fs::permissions(directory_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  const Outcome outcome =
      run({"--out", "locked", "--count", "1", "--seconds", "0.1"}, testing::Rights::users);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_NE(outcome.output.find("locked"), std::string::npos) << outcome.output;
}

TEST_F(TexturesApp, QuietSaysNothing) {
  const Outcome outcome = run({"--out", "set", "--count", "1", "--seconds", "0.1", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.output, "");
}

TEST_F(TexturesApp, InterruptedItLeavesWholeFilesAndNoFrame) {
  Program program(directory_,
                  {"dsf_textures", "--out", "set", "--count", "1000", "--seconds", "5"});
  const fs::path folder = directory_ / "set/train-wav";
  for (int i = 0; i < 3000 && (!fs::exists(folder) || fs::is_empty(folder)); ++i) usleep(10'000);
  program.interrupt();
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_NE(outcome.output.find("stopped after"), std::string::npos) << outcome.output;
  EXPECT_FALSE(fs::exists(directory_ / "set/dac-train.csv"));
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_EQ(read_audio(entry.path()).frames(), 5 * 44100) << entry.path();
  }
}

}  // namespace
}  // namespace dsf
