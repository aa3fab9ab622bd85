// The programs as a user runs them: training, resuming after kill -9, generating, refusing.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "engine/data/dataset.h"
#include "engine/training/checkpoint.h"
#include "tests/tiny_app.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;
using testing::Outcome;
using testing::Program;
using testing::read_text;

class AppsTest : public testing::TinyAppTest {};

class AppsOfEachClass : public AppsTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(AppsOfEachClass, TrainThenGenerate) {
  write_tiny_config(directory_ / "params.yaml", GetParam());
  const Outcome training = run({"dsf_train", "params.yaml"});
  ASSERT_EQ(training.exit_code, 0) << training.output;
  const fs::path run_directory = directory_ / "runs" / "tiny";
  EXPECT_TRUE(fs::exists(run_directory / "params.yaml"));
  EXPECT_TRUE(fs::exists(run_directory / tiny_checkpoint(1)));
  EXPECT_TRUE(fs::exists(run_directory / tiny_checkpoint(2)));

  const std::string codec = std::string(DSF_SOURCE_DIR) + "/tests/data/dac/tiny/weights.pth";
  const auto generate = [&](const char* out, const char* seed) {
    const Outcome outcome =
        run({"dsf_infer", "runs/tiny", "--class", "rain", "--param", "rate=0.25", "--duration",
             "0.5", "--seed", seed, "--codec", codec, "--out", out});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    std::map<std::string, fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_ / out)) {
      files[entry.path().extension()] = entry.path();
    }
    return files;
  };
  auto first = generate("first", "5");
  for (const char* extension : {".dac", ".wav", ".json", ".png"}) {
    EXPECT_TRUE(first.contains(extension)) << extension;
  }
  const DacFile codes = read_dac(first[".dac"]);
  EXPECT_EQ(codes.frames, 43);  // 0.5 s of 86 frames
  EXPECT_EQ(codes.metadata.original_length, 43 * 512);
  const auto sidecar = nlohmann::json::parse(read_text(first[".json"]));
  EXPECT_EQ(sidecar.at("seed"), 5);
  EXPECT_EQ(sidecar.at("class"), "rain");

  const Outcome decoded =
      run({"dsf_codec", "decode", "first", "--output", "decoded", "--weights", codec});
  EXPECT_EQ(decoded.exit_code, 0) << decoded.output;
  EXPECT_EQ(read_text(directory_ / "decoded" / first[".wav"].filename()), read_text(first[".wav"]))
      << "dsf_codec decodes the .dac to another sound";

  auto again = generate("again", "5");
  EXPECT_EQ(read_text(again[".dac"]), read_text(first[".dac"])) << "same seed, other output";
  EXPECT_EQ(read_text(again[".wav"]), read_text(first[".wav"])) << "same seed, other sound";
  auto other = generate("other", "6");
  EXPECT_NE(read_text(other[".dac"]), read_text(first[".dac"])) << "other seed, same output";
}

INSTANTIATE_TEST_SUITE_P(Classes, AppsOfEachClass,
                         ::testing::Values("StreamingDACTransformer", "RopeCondDACTransformer",
                                           "PostNormCondDACTransformerDecoder"));

TEST_F(AppsTest, KilledTwentyTimesAndResumedTheWeightsAreTheSame) {
  constexpr int kEpochs = 150, kKills = 20;
  const std::string epochs = fmt::format("num_epochs={}", kEpochs);
  // Checkpoints are rarer than evaluations, so that a best one may be the latest state.
  const auto words = [&](const char* experiment) {
    return std::vector<std::string>{
        "dsf_train", "params.yaml",           "--set", epochs,
        "--set",     "checkpoint_interval=4", "--set", std::string("experiment=") + experiment,
        "--resume"};
  };
  const auto begin = steady_clock::now();
  const Outcome whole = run(words("whole"));
  const duration<double> total = steady_clock::now() - begin;
  ASSERT_EQ(whole.exit_code, 0) << whole.output;
  const fs::path runs = directory_ / "runs";
  const int64_t best_epoch = read_model(runs / "whole/best.safetensors").info.epoch;
  EXPECT_GT(best_epoch, 2);
  EXPECT_LT(best_epoch, kEpochs);
  const auto expect_same = [&] {
    for (const std::string& file :
         {tiny_checkpoint(kEpochs), std::string("best.safetensors"), std::string("losses.csv")}) {
      EXPECT_TRUE(read_text(runs / "killed" / file) == read_text(runs / "whole" / file)) << file;
    }
  };

  std::mt19937 engine(std::random_device{}());  // moments differ from run to run, on purpose
  std::uniform_real_distribution<double> moment(0.0, total.count() / 10);
  int kills = 0, finished = 0;
  while (kills < kKills) {
    Program program(directory_, words("killed"));
    std::this_thread::sleep_for(duration<double>(moment(engine)));
    program.kill_now();
    const Outcome outcome = program.wait();
    if (outcome.exit_code == -SIGKILL) {
      ++kills;
      continue;
    }
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;  // it was done before the kill
    expect_same();
    fs::remove_all(runs / "killed");
    ++finished;
  }
  const Outcome last = run(words("killed"));
  ASSERT_EQ(last.exit_code, 0) << last.output;
  expect_same();
  std::printf("    killed %d times, finished %d times; a whole run takes %.2f s\n", kills,
              finished + 1, total.count());
}

TEST_F(AppsTest, AnInfiniteLossStopsTheRunAndKeepsTheLastCheckpoint) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const std::string before = read_text(directory_ / "runs/tiny" / tiny_checkpoint(2));
  expect_refusal({"dsf_train", "params.yaml", "--resume", "--set", "num_epochs=50", "--set",
                  "learning_rate=1e30"},
                 1, {"step ", "loss", tiny_checkpoint(2)});
  EXPECT_EQ(read_text(directory_ / "runs/tiny" / tiny_checkpoint(2)), before);
}

TEST_F(AppsTest, AFinishedRunIsNotOverwritten) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  expect_refusal({"dsf_train", "params.yaml"}, 2, {"runs/tiny", "--resume"});
  expect_refusal({"dsf_train", "params.yaml", "--resume"}, 0,
                 {"2 of 2 epochs are done", "--set num_epochs=4"});
}

TEST_F(AppsTest, AFullDiskLeavesThePreviousCheckpoint) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const fs::path run_directory = directory_ / "runs/tiny";
  const std::vector<std::string> kept = {tiny_checkpoint(2), "best.safetensors"};
  const auto read_kept = [&] {
    return read_text(run_directory / kept[0]) + read_text(run_directory / kept[1]);
  };
  const std::string before = read_kept();
  // With validation the third epoch improves on the second: the best checkpoint is written first.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "best.safetensors"}, {"--set validator_data_dir=null", tiny_checkpoint(3)}};
  for (const auto& [option, refused] : cases) {
    // A limit on file size stands for the full disk: writes past it fail as they do there.
    const std::string command = std::string("trap '' XFSZ; ulimit -f 40; exec ") + DSF_BINARY_DIR +
                                "/dsf_train params.yaml --resume --set num_epochs=4 " + option +
                                " >full.log 2>&1";
    const std::string in_directory = "cd '" + directory_.string() + "' && { " + command + "; }";
    const int status = std::system(("bash -c \"" + in_directory + "\"").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 1);
    const std::string output = read_text(directory_ / "full.log");
    EXPECT_NE(output.find(refused + ": cannot write"), std::string::npos) << output;
    EXPECT_NE(output.find("the last good checkpoint is runs/tiny/" + kept[0]), std::string::npos)
        << output;
    EXPECT_EQ(read_kept(), before);
    for (const auto& entry : fs::directory_iterator(run_directory)) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(name.find("_chkpt_0003") == std::string::npos && !name.ends_with(".tmp"))
          << "left behind: " << entry.path();
    }
  }
}

TEST_F(AppsTest, MisuseIsExplained) {
  expect_refusal({"dsf_train", "absent.yaml"}, 1, {"absent.yaml"});
  expect_refusal({"dsf_train", "params.yaml", "--device", "cuda"}, 2, {"cuda", "cpu"});
  expect_refusal({"dsf_train", "params.yaml", "--seed", "18446744073709551616"}, 2,
                 {"--seed: '18446744073709551616': expected a whole number from 0 to"});
  expect_refusal({"dsf_train", "params.yaml", "--minutes", "abc"}, 2,
                 {"--minutes: 'abc': expected a number from 0.001 to 1000000"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "num_heads=5"}, 2, {"num_heads", "24"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "Ti=0"}, 2, {"Ti"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "Tt=0"}, 2, {"Tt"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "num_tokens=5"}, 2, {"24", "5"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "Tt=20"}, 1, {"train", "13", "21"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "vocab_size=10"}, 1, {"vocab_size = 10"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "class_names=[fire, wind]"}, 2,
                 {"rain", "fire", "wind"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "data_dir=nowhere"}, 1, {"nowhere"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "model_size=33"}, 2,
                 {"params.yaml and --set: ", "33"});
  expect_refusal({"dsf_train", "params.yaml", "--set", "experiment=" + std::string(101, 'x')}, 2,
                 {"experiment", "at most 100 bytes"});
  expect_refusal({"dsf_train", "params.yaml", "--seed", "x"}, 2, {"--seed", "whole number from 0"});
  expect_refusal({"dsf_infer", "runs/tiny", "--duration", "5s"}, 2, {"5s", "expected a number"});
  expect_refusal({"dsf_codec", "encode", "x", "--output", "y", "--win-duration", "x"}, 2,
                 {"--win-duration"});
  expect_refusal({"dsf_train", "--help"}, 0, {"Exit code: 0 done", "130 interrupted"});
  expect_refusal({"dsf_train"}, 2, {"--help"});
  expect_refusal({"dsf_train", "params.yaml", "--no-such-option"}, 2, {"--no-such-option"});
}

TEST_F(AppsTest, AMisspeltWordIsNamedBeforeWhatIsMissing) {
  expect_refusal({"dsf_train", "--hlep"}, 2, {"--hlep"});
  expect_refusal({"dsf_textures", "--hlep"}, 2, {"--hlep"});
  expect_refusal({"dsf_codec", "--hlep"}, 2, {"--hlep"});
  expect_refusal({"dsf_codec", "encod", "x", "--output", "y"}, 2,
                 {"encod x --output y", "expected one of encode, decode, evaluate, dataset"});
  expect_refusal({"dsf_codec", "encode", "x", "--output", "y", "z", "--no-such"}, 2, {"--no-such"});
  expect_refusal({"dsf_codec", "encode", "x", "--ouput", "y"}, 2, {"--ouput"});
  expect_refusal({"dsf_codec", "encode", "x"}, 2, {"--output is required"});
}

TEST_F(AppsTest, GenerationRefusesWhatItDoesNotKnow) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  expect_refusal({"dsf_infer", "runs/tiny", "--class", "thunder"}, 2, {"thunder", "fire", "rain"});
  expect_refusal({"dsf_infer", "runs/tiny", "--param", "speed=1"}, 2, {"speed", "rate"});
  expect_refusal({"dsf_infer", "runs/tiny", "--morph", "spiral"}, 2, {"spiral", "sweep"});
  expect_refusal({"dsf_infer", "runs/absent"}, 1, {"runs/absent"});
  expect_refusal({"dsf_infer", "runs/tiny", "--checkpoint", "oldest"}, 1, {"oldest", "runs/tiny"});
  expect_refusal({"dsf_infer", "runs/tiny", "--temperature", "0"}, 2, {"temperature"});
  expect_refusal({"dsf_infer", "runs/tiny", "--device", "cuda"}, 2, {"cuda"});
  const Outcome refused = run({"dsf_infer", "--precision", "fp64"});
  EXPECT_EQ(refused.exit_code, 2) << refused.output;
  EXPECT_EQ(refused.output.find("no MODEL"), std::string::npos)
      << "no model is announced that will not play: " << refused.output;
  std::ofstream(directory_ / "broken.safetensors") << "not a checkpoint";
  expect_refusal({"dsf_infer", "broken.safetensors"}, 1, {"broken.safetensors"});
  // Without a codec the codes are written and the way to sound is told, whatever the home of those
  // who run the tests holds.
  const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  const fs::path cache = directory_ / "ours/.cache/descript/dac";
  fs::create_directories(cache);
  fs::copy_file(fs::path(DSF_SOURCE_DIR) / "tests/data/dac/tiny/weights.pth",
                cache / "weights_44khz_8kbps_0.0.1.pth");
  setenv("HOME", (directory_ / "ours").c_str(), 1);
  const Outcome silent = run({"dsf_infer", "runs/tiny", "--duration", "0.2", "--out", "silent"});
  setenv("HOME", home.c_str(), 1);
  EXPECT_EQ(silent.exit_code, 0) << silent.output;
  EXPECT_NE(silent.output.find("--codec"), std::string::npos) << silent.output;
}

TEST_F(AppsTest, ARunCanBeginWithAnothersFolder) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  fs::remove(directory_ / "runs/tiny/best.safetensors");
  expect_refusal({"dsf_train", "params.yaml", "--set", "experiment=second", "--from", "runs/tiny"},
                 0, {"starting from runs/tiny/" + tiny_checkpoint(2)});
  expect_refusal({"dsf_train", "params.yaml", "--set", "experiment=third", "--from", "runs/second"},
                 0, {"starting from runs/second/best.safetensors"});
  // The YAML that a run keeps is all that goes on with it.
  expect_refusal({"dsf_train", "runs/tiny/params.yaml", "--resume", "--set", "num_epochs=3"}, 0,
                 {"resuming from runs/tiny/" + tiny_checkpoint(2)});
}

TEST_F(AppsTest, QuietProgramsStillWarn) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const Outcome outcome = run({"dsf_infer", "runs/tiny", "--duration", "0.2", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(outcome.output.starts_with("no sound: ")) << outcome.output;
}

TEST_F(AppsTest, DataFilesAreCheckedOneByOne) {
  const fs::path bad = directory_ / "train" / "fire--rate-00.10--c-00--x-99.dac";
  const std::vector<std::string> train{"dsf_train", "params.yaml"};
  write_dac(bad, make_dac(1, 12));
  expect_refusal(train, 1, {bad.filename().string(), "12", "13"});
  std::ofstream(bad, std::ios::trunc).close();
  expect_refusal(train, 1, {bad.filename().string()});
  std::ofstream(bad) << "\x93NUMPY garbage";
  expect_refusal(train, 1, {bad.filename().string()});
  fs::remove(bad);
  write_dac(directory_ / "train" / "nonsense.dac", make_dac(1));
  expect_refusal(train, 1, {"nonsense.dac"});
}

// ---- Data frames, dry runs

class FramedAppsTest : public AppsTest {
 protected:
  /// A frame of three files, one of which is longer than a training sequence (13 frames).
  void SetUp() override {
    AppsTest::SetUp();
    for (const auto& [name, frames] : {std::pair{"a", 13}, {"b", 60}, {"c", 13}}) {
      write_dac(directory_ / "train" / fmt::format("{}.dac", name),
                make_dac(static_cast<uint64_t>(frames) + name[0], frames));
    }
    write_frame("c.dac,wind,1\n");
  }
  void write_frame(const std::string& last_rows) {
    std::ofstream(directory_ / "frame.csv")
        << "Full File Name,Class Name,pitch\na.dac,rain,0.5\nb.dac,wind,0\n"
        << last_rows;
  }
  static std::vector<std::string> train(std::vector<std::string> more) {
    std::vector<std::string> words{
        "dsf_train", "params.yaml",         "--set", "data_frames=frame.csv",
        "--set",     "validator_data_dir=", "--set", "validator_data_frames="};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(FramedAppsTest, TrainsAndGeneratesWithTheNamesOfTheFrame) {
  expect_refusal(train({}), 1, {"frame.csv, line 3", "60 frames", "random_crop: true"});
  const Outcome training = run(train({"--set", "random_crop=true"}));
  ASSERT_EQ(training.exit_code, 0) << training.output;
  EXPECT_EQ(run({"dsf_infer", "runs/tiny", "--class", "wind", "--param", "pitch=0.5", "--duration",
                 "0.2", "--out", "out"})
                .exit_code,
            0);
  expect_refusal({"dsf_infer", "runs/tiny", "--class", "fire"}, 2, {"'fire'", "rain", "wind"});
  expect_refusal({"dsf_infer", "runs/tiny", "--param", "rate=1"}, 2, {"'rate'", "pitch"});
}

TEST_F(FramedAppsTest, TrainingSeesThePartThatIsDrawnAndValidationTheBeginning) {
  const auto take_part = [](const DacFile& file, int64_t begin) {
    DacFile part = make_dac(0);
    for (int64_t i = 0; i < 4 * part.frames; ++i) {
      const int64_t at = i / part.frames * file.frames + begin + i % part.frames;
      part.codes[static_cast<size_t>(i)] = file.codes[static_cast<size_t>(at)];
    }
    return part;
  };
  const auto train_one_epoch = [&](const std::string& experiment) {
    const Outcome outcome =
        run({"dsf_train", "params.yaml", "--set", "data_frames=frame.csv", "--set",
             "validator_data_dir=beginnings", "--set", "validator_data_frames=frame.csv", "--set",
             "random_crop=true", "--set", "num_epochs=1", "--set", "experiment=" + experiment});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    const size_t loss = outcome.output.find("validation loss");
    EXPECT_NE(loss, std::string::npos) << outcome.output;
    return std::pair{read_text(directory_ / "runs" / experiment / tiny_checkpoint(1)),
                     outcome.output.substr(loss, 22)};
  };
  Dataset data;
  data.frames = 13;
  data.begins = {0, 13, 73, 86};
  const int64_t begin = random_crop_begin(data, 1, 0, 1);
  ASSERT_GT(begin, 0) << "this seed cannot tell a crop from the beginning";
  const fs::path beginnings = directory_ / "beginnings";
  fs::copy(directory_ / "train", beginnings);
  const DacFile file = read_dac(beginnings / "b.dac");
  const auto whole = train_one_epoch("whole");
  write_dac(directory_ / "train" / "b.dac", take_part(file, begin));
  write_dac(beginnings / "b.dac", take_part(file, 0));
  const auto parts = train_one_epoch("parts");
  EXPECT_TRUE(parts.first == whole.first) << "other weights";
  EXPECT_EQ(parts.second, whole.second);
}

TEST_F(FramedAppsTest, AResumedRunCropsAsAnUninterruptedOne) {
  const auto run_to = [&](const char* experiment, const char* epochs) {
    const Outcome outcome =
        run(train({"--set", "random_crop=true", "--set", std::string("experiment=") + experiment,
                   "--set", std::string("num_epochs=") + epochs, "--resume"}));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return read_text(directory_ / "runs" / experiment / tiny_checkpoint(std::stoi(epochs)));
  };
  const std::string whole = run_to("whole", "6");
  run_to("parts", "1");
  run_to("parts", "4");
  EXPECT_EQ(run_to("parts", "6"), whole);
}

TEST_F(FramedAppsTest, ADryRunSaysEverythingAndWritesNothing) {
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
      names.push_back(entry.path().string());
    }
    std::ranges::sort(names);
    return names;
  };
  run(train({"--help"}));  // leaves the log of the program, as every run does
  const std::vector<std::string> before = files();
  const Outcome good = run(train({"--dry-run", "--set", "random_crop=true"}));
  EXPECT_EQ(good.exit_code, 0);
  const std::vector<std::string> expected{"training:    3 files of 13 to 60 frames, 1.0 s",
                                          "validation:  none",
                                          "classes:     rain (1), wind (2)",
                                          "parameters:  pitch (0 to 1)",
                                          "model:       StreamingDACTransformer, ",
                                          "memory:      ",
                                          "time:        ",
                                          "faults:      0"};
  for (const std::string& part : expected) {
    EXPECT_NE(good.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                         << good.output;
  }
  EXPECT_EQ(files(), before);

  write_frame("none.dac,wind,high\nabsent.dac,,1\nabsent.dac,wind,1\n");
  const Outcome bad = run(train({"--dry-run"}));
  EXPECT_EQ(bad.exit_code, 1);
  for (const char* part :
       {"faults:      6", "line 4, column 3: 'pitch' is 'high'", "line 5, column 2: nothing",
        "line 6, column 1: 'absent.dac' was there before", "line 3, column 1: train/b.dac: 60",
        "line 4, column 1: train/none.dac: cannot open",
        "line 5, column 1: train/absent.dac: cannot open"}) {
    EXPECT_NE(bad.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                        << bad.output;
  }
  EXPECT_EQ(files(), before);
  expect_refusal(train({"--dry-run", "--set", "num_heads=5"}), 2, {"num_heads"});
  // Neither where the run's folder cannot be made is anything left of the attempt.
  const std::string crop = "random_crop=true";
  write_frame("");
  for (const char* runs : {"frame.csv", "new/er/../../frame.csv/runs"}) {
    expect_refusal(train({"--dry-run", "--set", crop, "--runs-dir", runs}), 1,
                   {"faults:      1", "frame.csv", "cannot write to this folder"});
  }
  const std::string long_name(300, 'x');
  expect_refusal(train({"--dry-run", "--set", crop, "--runs-dir", "new/" + long_name}), 1,
                 {"cannot write to this folder"});
  EXPECT_EQ(files(), before);
  expect_refusal(train({"--dry-run", "--set", "random_crop=true", "--from", "nowhere.pth"}), 1,
                 {"nowhere.pth"});
  expect_refusal(train({"--dry-run", "--set", "learning_rate=1e30", "--set", "random_crop=true"}),
                 1, {"faults:"});
}

TEST_F(FramedAppsTest, ADryRunSaysWhatMemoryAModelNeedsThatIsLargerThanIt) {
  // 20 TB: to take so much would fail, or end the program.
  expect_refusal(train({"--dry-run", "--set", "random_crop=true", "--set", "batch_size=1000000",
                        "--set", "num_layers=1000"}),
                 1,
                 {"memory:      ", " MB are free\n", "faults:      1",
                  "  the model in training needs ", "batch_size"});
}

}  // namespace
}  // namespace dsf
