// The parts of making a data set: forms of names, pieces, measures, the plan.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <set>
#include <span>

#include "engine/audio/audio_file.h"
#include "engine/audio/resample.h"
#include "engine/dataset/dataset_plan.h"
#include "engine/dataset/name_fields.h"
#include "engine/dataset/piece_measures.h"
#include "engine/dataset/piece_reader.h"
#include "kernels/common/random.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;

float noise(uint64_t seed, uint64_t i) {
  return 2 * to_unit(random_words({seed, 1, 0}, i)[0]) - 1;
}

// ---- Forms of names

std::vector<double> read(const std::string& form, const std::string& name) {
  return NameForm(form, "--fields").read(name);
}

TEST(NameFormTest, TakesNumbersWhereTheFormSaysSo) {
  EXPECT_EQ(read("{}-{strength}-{}", "folder-1/gust-0.5-take-2.wav"), std::vector<double>{0.5});
  EXPECT_EQ(read("{}-{strength}-{}", "gust--0.5-take.wav"), std::vector<double>{-0.5});
  EXPECT_EQ(read("{speed}_{gust}", "1e-2_00.50.wav"), (std::vector<double>{0.01, 0.5}));
  EXPECT_EQ(read("{speed}", "7.flac"), std::vector<double>{7});
  EXPECT_EQ(read("take {a} of {b}.", "take 1 of 12..wav"), (std::vector<double>{1, 12}));
  EXPECT_EQ(NameForm("{b}-{}-{ a }", "--fields").parameter_names(),
            (std::vector<std::string>{"b", "a"}));
}

TEST(NameFormTest, SaysWhereANameDiffers) {
  const auto error = [](const std::string& form, const std::string& name,
                        const std::vector<std::string>& parts) {
    expect_error<Error>([&] { read(form, name); }, parts);
  };
  error("{}-{strength}-{}", "in/gust-loud-1.wav",
        {"in/gust-loud-1.wav", "'{}-{strength}-{}'", "'strength' is 'loud', expected a number"});
  error("{}-{strength}-{}", "gust-0.5.wav", {"found '0.5', expected a number and then '-'"});
  error("x{strength}", "y1.wav", {"found 'y1', expected 'x'"});
  error("{strength}s", "1.wav", {"expected a number and then 's'"});
  error("{strength}", "0.5x.wav", {"'strength' is '0.5x'"});
}

TEST(NameFormTest, RefusesFormsThatCannotBeMeant) {
  const auto error = [](const std::string& form, const std::string& why) {
    expect_error<UsageError>([&] { NameForm(form, "--fields"); }, {"--fields", form, why});
  };
  error("{}-{}", "names no parameter");
  error("{a}{b}", "two fields without text between them");
  error("{a}-{a}", "'a' occurs twice");
  error("{a}-{b", "never closed");
}

// ---- Pieces

class PiecesTest : public ::testing::Test {
 protected:
  PiecesTest()
      : folder_(fs::temp_directory_path() /
                fmt::format("dsf_pieces_{}_{}",
                            ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                            ::getpid())) {
    fs::create_directories(folder_);
  }
  ~PiecesTest() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(PiecesTest, TileTheRecording) {
  Audio audio{16000, 2, {}};
  for (uint64_t i = 0; i < 2 * 200'000; ++i) audio.samples.push_back(noise(1, i) / 2);
  write_audio(folder_ / "a.wav", audio, AudioFormat::wav_float);
  Audio mono{16000, 1, {}};
  for (size_t i = 0; i < 200'000; ++i) {
    mono.samples.push_back(audio.samples[2 * i] / 2 + audio.samples[2 * i + 1] / 2);
  }
  for (const int rate : {16000, 22050}) {
    const std::vector<float> whole = resample(mono, rate).samples;
    // Without gaps, overlapping, and apart.
    for (const PieceGrid& grid :
         {PieceGrid{rate, 30001, 30001}, PieceGrid{rate, 70000, 999}, PieceGrid{rate, 10, 67890}}) {
      PieceReader reader(folder_ / "a.wav", grid);
      int64_t pieces = 0;
      for (; reader.next(); ++pieces) {
        EXPECT_EQ(reader.index(), pieces);
        const auto begin = whole.begin() + pieces * grid.step;
        const std::vector<float> expected(begin, begin + grid.samples);
        const auto found = reader.samples();
        ASSERT_TRUE(std::ranges::equal(found, expected)) << pieces << " at " << rate;
      }
      EXPECT_EQ(reader.length(), std::ssize(whole));
      EXPECT_EQ(pieces, grid.count(reader.length()));
    }
  }
}

TEST(PieceGridTest, CountsWholePieces) {
  const PieceGrid grid{1, 10, 4};
  EXPECT_EQ(grid.count(9), 0);
  EXPECT_EQ(grid.rest(9), 9);
  EXPECT_EQ(grid.count(10), 1);
  EXPECT_EQ(grid.rest(10), 0);
  EXPECT_EQ(grid.count(13), 1);
  EXPECT_EQ(grid.rest(13), 3);
  EXPECT_EQ(grid.count(14), 2);
  EXPECT_EQ(grid.rest(14), 0);
}

// ---- Measures

constexpr int kRate = 44100;

/// Noise with `rate` bursts per second that decay in some milliseconds, over a bed 40 dB below.
std::vector<float> bursts(double rate, double seconds) {
  std::vector<float> samples(static_cast<size_t>(seconds * kRate));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double time = static_cast<double>(i) / kRate;
    const double since = std::fmod(time + 0.5 / rate, 1 / rate);  // none at the very beginning
    const double level = time < 0.5 / rate ? 0.0 : std::exp(-since / 0.01);
    samples[i] = static_cast<float>((level + 0.01) * 0.5) * noise(2, i);
  }
  return samples;
}

TEST(MeasuresTest, EventRateCountsBursts) {
  for (const double rate : {1.0, 4.0, 8.0}) {
    EXPECT_NEAR(onset_rate(bursts(rate, 10), kRate), rate, 0.101) << rate;  // one at an end
  }
  // Gain changes nothing.
  std::vector<float> quiet = bursts(4, 10);
  for (float& sample : quiet) sample *= 1e-3F;
  EXPECT_EQ(onset_rate(quiet, kRate), onset_rate(bursts(4, 10), kRate));
}

TEST(MeasuresTest, SteadySoundHasNoEvents) {
  std::vector<float> white(10 * kRate);
  for (size_t i = 0; i < white.size(); ++i) white[i] = 0.1F * noise(1, i);
  EXPECT_EQ(onset_rate(white, kRate), 0);
  // Nor has a tone, wherever it is cut.
  for (const double hz : {60.0, 440.0, 1000.0, 5000.0}) {
    std::vector<float> tone(5 * kRate + 1300);
    for (size_t i = 0; i < tone.size(); ++i) {
      const double time = static_cast<double>(i) / kRate;
      tone[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * time));
    }
    for (const size_t length : {3000, 22050, 5 * kRate, 5 * kRate + 1300}) {
      EXPECT_EQ(onset_rate(std::span(tone).first(length), kRate), 0) << hz << " Hz, " << length;
    }
  }
  EXPECT_EQ(onset_rate(std::vector<float>(50000, 0.0F), kRate), 0);
  EXPECT_EQ(onset_rate(std::vector<float>(100, 0.5F), kRate), 0);
}

TEST(MeasuresTest, NamesAreThoseOfTheOption) {
  EXPECT_EQ(parse_measures("event-rate,loudness"),
            (std::vector<Measure>{Measure::event_rate, Measure::loudness}));
  expect_error<UsageError>([] { parse_measures("pitch"); }, {"'pitch'", "centroid"});
  expect_error<UsageError>([] { parse_measures("centroid,centroid"); }, {"centroid twice"});
  expect_error<UsageError>([] { parse_measures("centroid,"); }, {"''"});
}

TEST(MeasuresTest, NeedASampleRate) {
  check_measures({Measure::loudness, Measure::centroid}, 8000);
  check_measures({Measure::loudness, Measure::event_rate}, 4000);
  expect_error<UsageError>(
      [] {
        check_measures({Measure::loudness, Measure::centroid}, 4000);
      },
      {"--measure centroid", "4000 Hz", "at least 8000 Hz"});
  expect_error<Error>([] { measure_piece(std::vector<float>(9000), 4000, {Measure::centroid}); },
                      {"a sample rate of 4000 Hz is too low"});
}

// ---- The plan

struct Made {
  Recordings recordings;
  std::vector<SurveyedRecording> surveyed;

  void add(const std::string& name, int64_t pieces, std::vector<double> parameters = {}) {
    const std::string class_name = name.substr(0, name.find('/'));
    recordings.list.push_back({name, name, class_name, std::move(parameters)});
    surveyed.push_back({pieces * 100, pieces, true, {}});
  }
  DatasetPlan plan(const DatasetRequest& request = {}) const {
    return plan_dataset(recordings, surveyed, request);
  }
};

/// Names of the recordings that validate, and how many pieces those are.
std::pair<std::set<std::string>, int64_t> validation(const Made& made, const DatasetPlan& plan,
                                                     const std::string& class_name) {
  std::set<std::string> names, others;
  int64_t pieces = 0;
  for (const Piece& piece : plan.pieces) {
    const Recording& recording = made.recordings.list[piece.recording];
    if (recording.class_name != class_name) continue;
    (piece.validation ? names : others).insert(recording.name);
    pieces += piece.validation;
  }
  for (const std::string& name : names) EXPECT_FALSE(others.contains(name)) << "on both sides";
  return {names, pieces};
}

TEST(DatasetPlanTest, RecordingsAreWholeOnOneSide) {
  Made made;
  for (int i = 0; i < 20; ++i) made.add(fmt::format("wind/{:02}.wav", i), 5);
  for (int i = 0; i < 3; ++i) made.add(fmt::format("rain/{}.wav", i), 40 - 10 * i);
  made.add("fire/only.wav", 9);
  const DatasetPlan plan = made.plan();
  EXPECT_EQ(plan.classes, (std::vector<std::string>{"fire", "rain", "wind"}));
  EXPECT_EQ(validation(made, plan, "wind").second, 10);  // of 100
  // The one with the fewest pieces, as each is more than a tenth of 90.
  EXPECT_EQ(validation(made, plan, "rain").first, std::set<std::string>{"rain/2.wav"});
  EXPECT_EQ(validation(made, plan, "fire").second, 0);
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_NE(plan.warnings[0].find("no validation data of the class 'fire'"), std::string::npos);
}

TEST(DatasetPlanTest, TheSplitIsOfTheSeed) {
  Made made;
  for (int i = 0; i < 40; ++i) made.add(fmt::format("wind/{:02}.wav", i), 1);
  DatasetRequest request;
  const auto drawn = [&] { return validation(made, made.plan(request), "wind").first; };
  const auto first = drawn();
  EXPECT_EQ(first.size(), 4U);
  EXPECT_EQ(drawn(), first);
  request.seed = 1;
  EXPECT_NE(drawn(), first);
  request.validation = 0;
  EXPECT_TRUE(drawn().empty());
  request.validation = 0.5;
  EXPECT_EQ(drawn().size(), 20U);
  // Another recording moves few of the others.
  request = {};
  made.add("wind/new.wav", 1);
  const auto after = drawn();
  int64_t kept = 0;
  for (const std::string& name : first) kept += static_cast<int64_t>(after.count(name));
  EXPECT_GE(kept, 3);
}

TEST(DatasetPlanTest, ParametersAreScaledOverAllPieces) {
  Made made;
  made.add("wind/a.wav", 2, {0.25, 20, 3});
  made.add("wind/b.wav", 1, {0.75, -20, 3});
  made.recordings.parameter_names = {"strength", "temperature", "constant"};
  made.recordings.parameter_sources = {"file names", "t.csv", "t.csv"};
  made.surveyed[0].measures = {{-30}, {-20}};
  made.surveyed[1].measures = {{-40}};
  DatasetRequest request;
  request.measures = {Measure::loudness};
  const DatasetPlan plan = made.plan(request);
  EXPECT_EQ(plan.pieces[0].parameters, (std::vector<float>{0.25, 1, 0, 0.5}));
  EXPECT_EQ(plan.pieces[1].parameters, (std::vector<float>{0.25, 1, 0, 1}));
  EXPECT_EQ(plan.pieces[2].parameters, (std::vector<float>{0.75, 0, 0, 0}));
  EXPECT_EQ(plan.parameters[0].low, 0);  // within 0 … 1: as given
  EXPECT_EQ(plan.parameters[0].high, 1);
  EXPECT_EQ(plan.parameters[1].low, -20);
  EXPECT_EQ(plan.parameters[1].high, 20);
  EXPECT_EQ(plan.parameters[3].name, "loudness");
  EXPECT_EQ(plan.parameters[3].low, -40);
  EXPECT_EQ(plan.parameters[3].high, -20);
  ASSERT_FALSE(plan.warnings.empty());
  EXPECT_NE(plan.warnings[0].find("'constant' is 3 in all pieces"), std::string::npos);
}

TEST(DatasetPlanTest, SilentPiecesStretchNoScale) {
  Made made;
  made.add("wind/a.wav", 3);
  made.add("wind/b.wav", 2);
  made.surveyed[0].measures = {{-30, 2000, 0}, {-70, 0, 0}, {-20, 500, 3}};
  made.surveyed[1].measures = {{-40, 800, 1}, {-70, 0, 0}};
  DatasetRequest request;
  request.measures = {Measure::loudness, Measure::centroid, Measure::event_rate};
  const DatasetPlan plan = made.plan(request);
  EXPECT_EQ(plan.parameters[0].low, -40);
  EXPECT_EQ(plan.parameters[0].high, -20);
  EXPECT_EQ(plan.parameters[1].low, 500);
  EXPECT_EQ(plan.parameters[1].high, 2000);
  EXPECT_EQ(plan.parameters[2].low, 0);  // a rate that is one
  EXPECT_EQ(plan.pieces[0].parameters, (std::vector<float>{0.5, 1, 0}));
  EXPECT_EQ(plan.pieces[1].parameters, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(plan.pieces[3].parameters, (std::vector<float>{0, 0.2F, 1.0F / 3}));
  std::string warnings;
  for (const std::string& warning : plan.warnings) warnings += warning + "\n";
  EXPECT_NE(warnings.find("2 silent pieces without centroid, given that of the scale's lower "
                          "end, 500 Hz: 'wind_a-0001.dac', 'wind_b-0001.dac'\n"),
            std::string::npos)
      << warnings;
  EXPECT_NE(warnings.find("2 silent pieces without loudness"), std::string::npos) << warnings;
  EXPECT_EQ(warnings.find("event-rate"), std::string::npos) << warnings;
}

TEST(DatasetPlanTest, ValuesThatCannotBeScaledAreRefused) {
  Made made;
  made.add("wind/a.wav", 1, {-1e308});
  made.add("wind/b.wav", 1, {1e308});
  made.recordings.parameter_names = {"far"};
  made.recordings.parameter_sources = {"file names"};
  expect_error<Error>([&] { made.plan(); }, {"'far' goes from -1e+308 to 1e+308"});
  // One value has a place, however large it is.
  made.recordings.list[0].parameters = {1e308};
  const DatasetPlan plan = made.plan();
  EXPECT_EQ(plan.pieces[0].parameters, std::vector<float>{0});
  EXPECT_EQ(plan.pieces[1].parameters, std::vector<float>{0});
}

TEST(DatasetPlanTest, PiecesHaveNamesOfTheirOwn) {
  Made made;
  made.add("wind/soft/a.x.wav", 2);
  EXPECT_EQ(made.plan().pieces[1].file_name, "wind_soft_a.x-0001.dac");
  made.add("wind/soft_a.x.flac", 1);
  expect_error<UsageError>([&] { made.plan(); },
                           {"wind/soft/a.x.wav", "wind/soft_a.x.flac", "wind_soft_a.x-0000.dac"});
}

TEST(DatasetPlanTest, SomePiecesOfEachClassAreCompared) {
  Made made;
  made.add("wind/a.wav", 100);
  made.add("rain/a.wav", 3);
  const DatasetPlan plan = made.plan();
  int64_t wind = 0, rain = 0, late = 0;
  for (const Piece& piece : plan.pieces) {
    if (!piece.compared) continue;
    ++(piece.recording == 0 ? wind : rain);
    late += piece.recording == 0 && piece.index >= 50;
  }
  EXPECT_EQ(wind, kComparedPieces);
  EXPECT_EQ(late, kComparedPieces / 2);
  EXPECT_EQ(rain, 3);
}

TEST(DatasetPlanTest, WhatHasNoPiecesIsNamed) {
  Made made;
  made.add("wind/short.wav", 0);
  expect_error<Error>([&] { made.plan(); }, {"no recording of 5 s or longer"});
  made.add("rain/a.wav", 1);
  made.add("rain/b.wav", 1);
  const DatasetPlan plan = made.plan();
  EXPECT_EQ(plan.classes, std::vector<std::string>{"rain"});
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_NE(plan.warnings[0].find("'wind' has no pieces"), std::string::npos);
}

}  // namespace
}  // namespace dsf
