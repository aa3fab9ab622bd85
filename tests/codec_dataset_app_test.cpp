// dsf_codec dataset as a user runs it, up to dsf_train.
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>

#include "engine/audio/audio_file.h"
#include "engine/audio/loudness.h"
#include "engine/codec/codec.h"
#include "engine/codec/dac_encoding.h"
#include "engine/config/training_config.h"
#include "engine/data/data_frame.h"
#include "engine/dataset/training_yaml.h"
#include "engine/files/dac_file.h"
#include "kernels/common/random.h"
#include "tests/codec_app.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::Program;

Audio make_noise(uint64_t seed, double seconds, float level = 0.2F, int channels = 1,
                 int rate = 44100) {
  Audio audio{rate, channels, {}};
  const auto count = static_cast<uint64_t>(seconds * rate) * static_cast<uint64_t>(channels);
  for (uint64_t i = 0; i < count; ++i) {
    audio.samples.push_back(level * (2 * to_unit(random_words({seed, 1, 0}, i)[0]) - 1));
  }
  return audio;
}

/// A whistle: what a codec with random weights makes of it is in all bands where it has nothing.
Audio make_tone(double hz, double seconds, float level, int channels = 1, int rate = 44100) {
  Audio audio = make_noise(0, seconds, level, channels, rate);
  for (size_t i = 0; i < audio.samples.size(); ++i) {
    const double time = static_cast<double>(i / static_cast<size_t>(channels)) / rate;
    audio.samples[i] = level * static_cast<float>(std::sin(2 * std::numbers::pi * hz * time));
  }
  return audio;
}

class DatasetApp : public testing::CodecAppTest {
 protected:
  DatasetApp() : CodecAppTest("dataset") {}

  void write(const fs::path& name, const Audio& audio) {
    fs::create_directories((directory_ / name).parent_path());
    write_audio(directory_ / name, audio, AudioFormat::wav_float);
  }
  /// Two classes; of wind three recordings, of rain one, and one that is too short.
  void write_recordings() {
    write("in/wind/a-0.2.wav", make_tone(900, 0.75, 0.2F));
    write("in/wind/b-0.4.wav", make_tone(1100, 0.61, 0.1F, 2));
    write("in/wind/soft/c-0.9.wav", make_tone(1300, 0.45, 0.05F, 1, 22050));
    write("in/rain/d-0.5.wav", make_noise(4, 0.3));
    write("in/rain/e-0.6.wav", make_noise(5, 0.29));
  }
  DataFrame frame(const std::string& name) {
    Faults faults;
    DataFrame frame = read_data_frame(directory_ / name, faults);
    EXPECT_EQ(faults.count(), 0U);
    return frame;
  }
  nlohmann::json record(const std::string& folder = "out") const {
    return nlohmann::json::parse(testing::read_text(directory_ / folder / "dataset.json"));
  }
};

TEST_F(DatasetApp, ItIsNotWrittenAmongTheRecordings) {
  write_recordings();
  for (const char* output : {"in", "in/wind", "in/new", "./in/", "out/../in/new"}) {
    expect({"in", "--output", output, "--seconds", "0.3"}, 2, {"--output", "recordings", "in"});
  }
  EXPECT_FALSE(fs::exists(directory_ / "in/new"));
  EXPECT_FALSE(fs::exists(directory_ / "in/train"));
}

TEST_F(DatasetApp, WhatItMakesIsTrainedOn) {
  write_recordings();
  expect({"in", "--output", "out", "--seconds", "0.3", "--fields", "{}-{strength}", "--measure",
          "loudness,centroid,event-rate"},
         0,
         {"in/rain/e-0.6.wav: 0.290 s, shorter than a piece of 0.300: left out",
          "no validation data of the class 'rain': only one recording",
          "the codec does not suit the class 'wind'", "release 0.0.1", "--weights FILE",
          "6 pieces of 0.3 s from 4 recordings in out: 6 encoded now, 0 there already",
          "0.310 s at the ends of recordings fill no piece and are dropped", "class",
          "parameter strength (file names): 0 is 0, 1 is 1", "parameter loudness", "LUFS",
          "--measure loudness: the pieces are all brought to one loudness",
          "next: dsf_train out/params.yaml"});
  const std::string yaml = testing::read_text(directory_ / "out/params.yaml");
  for (const std::string& part :
       {std::string("num_tokens: 4"), std::string("Tt: 25"), "codec: \"" + kWeights + "\""}) {
    EXPECT_NE(yaml.find(part), std::string::npos) << part;
  }
  const DataFrame train = frame("out/train.csv"), validation = frame("out/validation.csv");
  EXPECT_EQ(train.parameter_names,
            (std::vector<std::string>{"strength", "loudness", "centroid", "event-rate"}));
  EXPECT_EQ(train.class_names, (std::set<std::string>{"rain", "wind"}));
  EXPECT_EQ(validation.class_names, std::set<std::string>{"wind"});
  EXPECT_EQ(train.rows.size() + validation.rows.size(), 6U);
  for (const auto& [side, rows] :
       {std::pair{"train", train.rows}, {"validation", validation.rows}}) {
    std::vector<std::string> named;
    for (const DataFrame::Row& row : rows) {
      named.push_back(row.file_name);
      for (const float value : row.parameters) EXPECT_TRUE(value >= 0 && value <= 1) << value;
      EXPECT_EQ(row.parameters[0], std::stof(row.file_name.substr(row.file_name.find('-') + 1)));
      const DacFile file = read_dac(directory_ / "out" / side / row.file_name);
      EXPECT_EQ(file.frames, 26);  // ⌈0.3 s · 44100 / 512⌉
      EXPECT_TRUE(file.metadata.padding);
    }
    std::ranges::sort(named);
    EXPECT_EQ(files(std::string("out/") + side), named);
  }
  const Outcome trained = Program(directory_, {"dsf_train", "out/params.yaml", "--dry-run"}).wait();
  EXPECT_EQ(trained.exit_code, 0) << trained.output;
  EXPECT_NE(trained.output.find("strength"), std::string::npos) << trained.output;
  EXPECT_EQ(trained.output.find("unknown"), std::string::npos) << trained.output;
}

TEST_F(DatasetApp, PiecesAreThoseOfTheRecording) {
  const Audio audio = make_noise(1, 1.0);
  write("in/wind/a.wav", audio);
  expect({"in", "--output", "out", "--seconds", "0.4", "--hop-seconds", "0.25", "--n-quantizers",
          "2", "--normalize-db", "off"},
         0, {"3 pieces of 0.4 s from 1 recording in", "0.100 s at the ends"});
  const Codec codec = Codec::load(kWeights, {}, CodecUse::encode);
  DacEncoder encoder(codec, {2, 5, std::nullopt});
  for (int64_t i = 0; i < 3; ++i) {
    const auto begin = audio.samples.begin() + i * 11025;
    const Audio piece{44100, 1, {begin, begin + 17640}};
    AudioView view(piece);
    EXPECT_EQ(read_dac(directory_ / fmt::format("out/train/wind_a-{:04}.dac", i)),
              encoder.encode(view).value());
  }
  EXPECT_FALSE(fs::exists(directory_ / "out/validation.csv"));
  EXPECT_EQ(run({"in", "--output", "out", "--seconds", "0.4", "--validation", "0"})
                .output.find("no validation data"),
            std::string::npos);
}

TEST_F(DatasetApp, ScalesAreInTheRecord) {
  write("in/wind/a.wav", make_noise(1, 0.3, 0.2F));
  write("in/wind/b.wav", make_noise(1, 0.3, 0.02F));
  std::ofstream(directory_ / "p.csv")
      << "Full File Name;note;speed\nwind/b.wav;3;40\n./wind/a.wav;4;-10\n";
  expect({"in", "--output", "out", "--seconds", "0.3", "--parameters", "p.csv", "--measure",
          "loudness"},
         0, {"parameter speed (p.csv): 0 is -10, 1 is 40", "parameter note"});
  const auto parameters = record()["parameters"];
  ASSERT_EQ(parameters.size(), 3U);
  EXPECT_EQ(parameters[1]["name"], "speed");
  EXPECT_EQ(parameters[1]["value_at_0"], -10);
  EXPECT_EQ(parameters[1]["value_at_1"], 40);
  const double loud = integrated_loudness(make_noise(1, 0.3, 0.2F).samples, 1, 44100);
  EXPECT_EQ(parameters[2]["unit"], "LUFS");
  EXPECT_NEAR(parameters[2]["value_at_1"].get<double>(), loud, 1e-9);
  EXPECT_NEAR(parameters[2]["value_at_0"].get<double>(), loud - 20, 1e-5);
  EXPECT_EQ(record()["complete"], true);
  EXPECT_EQ(record()["recordings"][0]["name"], "wind/a.wav");
}

TEST_F(DatasetApp, ClassesOfFilesInTheFolderAreInTheirNames) {
  write("in/DSWind--strength-00.50--x.wav", make_noise(1, 0.3));
  write("in/DSRain--rate-00.25--x.wav", make_noise(2, 0.3));
  expect({"in", "--output", "out", "--seconds", "0.3"}, 0, {"parameter param1 (file names)"});
  const DataFrame train = frame("out/train.csv");
  EXPECT_EQ(train.class_names, (std::set<std::string>{"DSRain", "DSWind"}));
  EXPECT_EQ(train.rows[1].parameters, std::vector<float>{0.5});
  // Beside folders the others have no parameter.
  write("in/fire/a.wav", make_noise(3, 0.3));
  expect({"in", "--output", "both", "--seconds", "0.3"}, 0, {"are not taken", "--fields"});
  EXPECT_TRUE(frame("both/train.csv").parameter_names.empty());
}

TEST_F(DatasetApp, ParametersInTheNamesOfFilesInFoldersAreHintedAt) {
  const auto say_so = [&](bool said) {
    const std::string output = run({"in", "--output", "out", "--seconds", "0.3"}).output;
    EXPECT_EQ(output.find("--fields takes them") != std::string::npos, said) << output;
  };
  write("in/rain/rain--rate-00.25--x.wav", make_noise(2, 0.3));
  write("in/wind/wind--strength-00.50--x.wav", make_noise(1, 0.3));
  say_so(true);
  write("in/wind/gust.wav", make_noise(1, 0.3));
  say_so(false);
}

TEST_F(DatasetApp, AllThatIsWrongIsSaidBeforeAnythingIsWritten) {
  write_recordings();
  write("in/stray.wav", make_noise(6, 0.3));
  expect({"in", "--output", "out"}, 1,
         {"in/stray.wav: of which class is it?", "in/CLASS/stray.wav",
          "Class--Parameter-01.00-….wav"});
  fs::remove(directory_ / "in/stray.wav");
  write("in/ /blank.wav", make_noise(6, 0.3));
  expect({"in", "--output", "out"}, 1, {"in/ /blank.wav: the folder's name, its class, is blank"});
  fs::remove_all(directory_ / "in/ ");
  write("in/wind/loud-x.wav", make_noise(6, 0.3));
  std::ofstream(directory_ / "p.csv")
      << "Full File Name,a\nwind/a-0.2.wav,1\nwind/z.wav,2\nrain/d-0.5.wav,3\n"
         "rain/e-0.6.wav,4\nwind/soft/c-0.9.wav,5\n"
         "wind/loud-x.wav,6\n";
  expect({"in", "--output", "out", "--fields", "{}-{a}", "--parameters", "p.csv"}, 1,
         {"in/wind/loud-x.wav", "'a' is 'x', expected a number", "the parameter 'a' comes from"});
  expect({"in", "--output", "out", "--fields", "{}-{loudness}", "--measure", "loudness"}, 1,
         {"the parameter 'loudness' comes from file names and from --measure"});
  expect({"in", "--output", "out", "--parameters", "p.csv"}, 1,
         {"in/wind/b-0.4.wav: p.csv has no line for 'wind/b-0.4.wav'",
          "p.csv, line 3, column 1: no recording 'wind/z.wav' below in"});
  EXPECT_FALSE(fs::exists(directory_ / "out"));
}

TEST_F(DatasetApp, FinishedPiecesAreSkipped) {
  write_recordings();
  const std::vector<std::string> words = {"in",  "--output",     "out", "--seconds",
                                          "0.3", "--validation", "0"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = words;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect(words, 0, {"6 encoded now, 0 there already"});
  expect(words, 0, {"0 encoded now, 6 there already", "mel distance"});
  std::vector<std::string> slashed = words;
  slashed[0] = "./in/";
  expect(slashed, 0, {"0 encoded now, 6 there already"});
  expect(with({"--overwrite"}), 0, {"6 encoded now"});
  // A damaged piece, a changed recording, another way to make them.
  fs::resize_file(directory_ / "out/train/rain_d-0.5-0000.dac", 100);
  expect(words, 0, {"1 encoded now, 5 there already"});
  const std::string piece = testing::read_text(directory_ / "out/train/rain_d-0.5-0000.dac");
  const auto changed = fs::last_write_time(directory_ / "in/rain/d-0.5.wav");
  write("in/rain/d-0.5.wav", make_noise(7, 0.3));
  fs::last_write_time(directory_ / "in/rain/d-0.5.wav", changed - std::chrono::hours(1));
  expect(words, 0, {"1 encoded now, 5 there already"});
  EXPECT_NE(testing::read_text(directory_ / "out/train/rain_d-0.5-0000.dac"), piece);
  expect(with({"--normalize-db", "-20"}), 0, {"6 encoded now"});
  expect(words, 0, {"6 encoded now"});
  std::ofstream(directory_ / "out/dataset.json") << "not JSON";
  expect(words, 0, {"6 encoded now"});
  fs::rename(directory_ / "in/wind/soft", directory_ / "in/wind/hard");
  expect(words, 0, {"1 encoded now", "1 .dac file of another run in this folder"});
}

TEST_F(DatasetApp, RecordingsThatCannotBeReadAreLeftOut) {
  write_recordings();
  std::ofstream(directory_ / "in/wind/x-0.1.wav") << "not a sound";
  expect({"in", "--output", "out", "--seconds", "0.3"}, 1, {"in/wind/x-0.1.wav: ", "6 pieces"});
  EXPECT_EQ(frame("out/train.csv").rows.size() + frame("out/validation.csv").rows.size(), 6U);
}

TEST_F(DatasetApp, InterruptedItGoesOn) {
  write("in/wind/long.wav", make_noise(1, 60));
  const std::vector<std::string> words = {"in", "--output", "out", "--seconds", "1"};
  Program program(directory_, {"dsf_codec", "dataset", "in", "--output", "out", "--seconds", "1",
                               "--weights", kWeights});
  const fs::path third = directory_ / "out/train/wind_long-0002.dac";
  for (int i = 0; i < 6000 && !fs::exists(third); ++i) usleep(10'000);
  program.interrupt();
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_NE(outcome.output.find("stopped: the same command goes on"), std::string::npos)
      << outcome.output;
  EXPECT_FALSE(fs::exists(directory_ / "out/train.csv"));
  EXPECT_EQ(record()["complete"], false);
  const auto made = files("out/train");
  EXPECT_LT(made.size(), 60U) << "it was not interrupted";
  for (const std::string& name : made) read_dac(directory_ / "out/train" / name);
  expect(words, 0,
         {fmt::format("{} encoded now, {} there already", 60 - made.size(), made.size())});
}

TEST_F(DatasetApp, PiecesOfOtherSettingsAreNotTakenForNewOnes) {
  write("in/wind/long.wav", make_noise(1, 30));
  const std::vector<std::string> words = {"in", "--output", "out", "--seconds", "1"};
  const std::vector<std::string> quieter = {"in", "--output",       "out", "--seconds",
                                            "1",  "--normalize-db", "-40"};
  expect(words, 0, {"30 encoded now"});
  Program program(directory_, {"dsf_codec", "dataset", "in", "--output", "out", "--seconds", "1",
                               "--normalize-db", "-40", "--weights", kWeights});
  for (int i = 0; i < 60000 && record()["complete"] == true; ++i) usleep(1'000);
  program.kill_now();
  program.wait();
  EXPECT_EQ(record()["complete"], false) << "it was not ended in time";
  EXPECT_FALSE(fs::exists(directory_ / "out/train.csv"));
  EXPECT_FALSE(fs::exists(directory_ / "out/params.yaml"));
  const auto made = std::ssize(files("out/train"));
  EXPECT_LT(made, 30) << "it was not ended in time";
  expect(quieter, 0, {fmt::format("{} encoded now, {} there already", 30 - made, made)});
  expect({"in", "--output", "fresh", "--seconds", "1", "--normalize-db", "-40"}, 0,
         {"30 encoded now"});
  for (const std::string& name : files("fresh/train")) {
    EXPECT_EQ(testing::read_text(directory_ / "out/train" / name),
              testing::read_text(directory_ / "fresh/train" / name))
        << name;
  }
}

TEST_F(DatasetApp, FilesOfOthersStay) {
  write_recordings();
  for (const std::string name : {"params.yaml", "train.csv", "validation.csv"}) {
    fs::create_directories(directory_ / "mine");
    std::ofstream(directory_ / "mine" / name) << "mine";
    expect({"in", "--output", "mine", "--seconds", "0.3"}, 1,
           {"mine/" + name + ": would be replaced", "dataset.json"});
    EXPECT_EQ(testing::read_text(directory_ / "mine" / name), "mine");
    fs::remove_all(directory_ / "mine");
  }
}

TEST_F(DatasetApp, MisuseIsExplained) {
  expect({"--help"}, 0, {"2 misused", "130 interrupted"});
  write_recordings();
  const auto misuse = [&](std::vector<std::string> more, const std::string& part) {
    more.insert(more.begin(), {"in", "--output", "out"});
    expect(more, 2, {part});
  };
  misuse({"--seconds", "0"}, "--seconds");
  misuse({"--hop-seconds", "-1"}, "--hop-seconds");
  for (const char* option : {"--seconds", "--hop-seconds", "--validation"}) {
    misuse({option, "nan"}, fmt::format("{}: 'nan': expected a number from ", option));
  }
  misuse({"--measure", "pitch"}, "'pitch': expected loudness, centroid or event-rate");
  misuse({"--fields", "{}"}, "names no parameter");
  misuse({"--validation", "0.9"}, "--validation");
  misuse({"--seed", "-1"}, "--seed: '-1': expected a whole number from 0 to 18446744073709551615");
  misuse({"--normalize-db", "loud"}, "--normalize-db 'loud'");
  expect({"in"}, 2, {"--output"});
  expect({"absent", "--output", "out"}, 1, {"absent: expected a folder of recordings"});
  expect({"in", "--output", "out"}, 1, {"no recording of 5 s or longer"});
  expect({"in", "--output", "out"}, 2, {"--weights", "release 0.0.1"}, "");
  EXPECT_FALSE(fs::exists(directory_ / "out"));
}

// ---- The configuration

TEST(TrainingYamlTest, HasTheModelOfTheMediumConfiguration) {
  const fs::path file = fs::temp_directory_path() / fmt::format("dsf_yaml_{}.yaml", ::getpid());
  TrainingYaml data{
      "/a \"b\"/my set", true, {"rain", "wind"}, {"strength"}, 431, 44100.0 / 512, 4, 1024};
  std::ofstream(file) << training_yaml(data);
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& text) { warnings.push_back(text); };
  const TrainingConfig made = read_training_config(file, {}, warn);
  EXPECT_TRUE(warnings.empty()) << warnings[0];
  const TrainingConfig medium =
      read_training_config(fs::path(DSF_SOURCE_DIR) / "configs/params_med.yaml", {}, warn);
  EXPECT_EQ(made.experiment, "my set");
  EXPECT_EQ(made.data_dir, "/a \"b\"/my set/train");
  EXPECT_EQ(made.data_frame, "/a \"b\"/my set/train.csv");
  EXPECT_EQ(made.validator_data_frame, "/a \"b\"/my set/validation.csv");
  ModelConfig model = made.model;
  model.num_classes = medium.model.num_classes;  // the frame's
  model.num_parameters = medium.model.num_parameters;
  EXPECT_EQ(model, medium.model);
  EXPECT_EQ(made.batch_size, medium.batch_size);
  EXPECT_EQ(made.learning_rate, medium.learning_rate);
  EXPECT_EQ(made.num_epochs, medium.num_epochs);
  EXPECT_EQ(made.error_log_rate, 10);
  EXPECT_EQ(made.checkpoint_interval, 50);

  // No validation, nine codebooks, pieces shorter than a second.
  data = {"/tmp/x/", false, {"rain"}, {}, 26, 44100.0 / 512, 9, 1024};
  std::ofstream(file) << training_yaml(data);
  const TrainingConfig other = read_training_config(file, {}, warn);
  EXPECT_EQ(other.experiment, "x");
  EXPECT_TRUE(other.validator_data_dir.empty());
  EXPECT_EQ(other.model.lookback, 25);
  EXPECT_EQ(other.model.max_length, 25);
  EXPECT_EQ(other.model.embed_size, 36);
  EXPECT_EQ(other.model.codebook_delay, 1);
  // Too short for the last codebook to have a place in it.
  data.frames = 8;
  std::ofstream(file) << training_yaml(data);
  EXPECT_EQ(read_training_config(file, {}, warn).model.codebook_delay, 0);
  fs::remove(file);
}

}  // namespace
}  // namespace dsf
