// Morph files: what they mean, and what is said about those that mean nothing.
#include "engine/generation/morph_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kClasses = {"wind", "rain", "fire"};
const std::vector<std::string> kParameters = {"strength", "size"};

class MorphFileTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  MorphFile read(const std::string& name, const std::string& text) {
    fs::remove(path_);
    path_ = fs::temp_directory_path() / fmt::format("dsf_morph_{}_{}", getpid(), name);
    std::ofstream(path_, std::ios::binary) << text;
    return read_morph_file(path_, kClasses, kParameters);
  }
  /// The trajectory at 2 frames a second, beginning with wind and both parameters at one half.
  Conditioning follow(const std::string& name, const std::string& text, int64_t frames) {
    return follow_morph(read(name, text), frames, 2, {1, 0, 0, .5F, .5F}, kClasses.size());
  }
  /// The message of the UsageError that reading `text` must raise.
  std::string refusal(const std::string& name, const std::string& text) {
    try {
      read(name, text);
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(path_.filename().string()), std::string::npos) << message;
      return message;
    }
    ADD_FAILURE() << "read without an error:\n" << text;
    return "";
  }
  void expect_refusal(const std::string& name, const std::string& text,
                      const std::vector<std::string>& parts) {
    const std::string message = refusal(name, text);
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
    }
  }

  fs::path path_;
};

std::vector<float> component(const Conditioning& conditioning, int64_t index) {
  std::vector<float> values;
  for (int64_t s = 0; s < conditioning.frames; ++s) {
    values.push_back(conditioning.frame(s)[index]);
  }
  return values;
}

using Values = std::vector<float>;

TEST_F(MorphFileTest, YamlInSeconds) {
  const Conditioning result = follow("a.yaml",
                                     "unit: seconds\n"
                                     "breakpoints:\n"
                                     "  - {time: 0, class: rain, parameters: {size: 0}}\n"
                                     "  - time: 2\n"
                                     "    classes: {rain: 0.5, fire: 0.25}\n"
                                     "    parameters: {size: 1}\n"
                                     "    interpolation: hold\n"
                                     "  - {time: 3, class: wind}\n",
                                     8);
  EXPECT_EQ(component(result, 0), (Values{0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(component(result, 1), (Values{1, .875F, .75F, .625F, .5F, .5F, 0, 0}));
  EXPECT_EQ(component(result, 2), (Values{0, .0625F, .125F, .1875F, .25F, .25F, 0, 0}));
  EXPECT_EQ(component(result, 3), Values(8, .5F)) << "never named: as it began";
  EXPECT_EQ(component(result, 4), (Values{0, .25F, .5F, .75F, 1, 1, 1, 1}));
}

TEST_F(MorphFileTest, CsvInSeconds) {
  const Conditioning result = follow("a.csv",
                                     "time,rain,size,interpolation,fire,wind\n"
                                     "0,1,0,,0,0\n"
                                     "2,0.5,1,hold,0.25,\n"
                                     "3,0,,linear,0,1\n",
                                     8);
  EXPECT_EQ(component(result, 0), (Values{0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(component(result, 1), (Values{1, .875F, .75F, .625F, .5F, .5F, 0, 0}));
  EXPECT_EQ(component(result, 2), (Values{0, .0625F, .125F, .1875F, .25F, .25F, 0, 0}));
  EXPECT_EQ(component(result, 3), Values(8, .5F));
  EXPECT_EQ(component(result, 4), (Values{0, .25F, .5F, .75F, 1, 1, 1, 1}));
}

TEST_F(MorphFileTest, CsvAsItIsTypedAndAsSpreadsheetsNameIt) {
  const std::string tidy = "time,rain,interpolation,size\n0,1,hold,0\n2,0.5,,1\n";
  const std::string typed = "time, rain, interpolation ,\tsize\n0, 1, hold, 0\n2, 0.5,  , 1\n";
  const Conditioning expected = follow("a.csv", tidy, 8);
  EXPECT_EQ(follow("a.csv", typed, 8).values, expected.values);
  EXPECT_EQ(follow("a.CSV", tidy, 8).values, expected.values);
}

TEST_F(MorphFileTest, TheReadyMadeSweepWrittenAsAFileIsTheSame) {
  const Conditioning expected = make_morph("sweep", 860, kClasses, kParameters, 0, {});
  const std::string yaml =
      "unit: relative\nbreakpoints:\n"
      "  - {time: 0, parameters: {strength: 0, size: 0}}\n"
      "  - {time: .1}\n"
      "  - {time: .4, parameters: {strength: 1, size: 1}}\n"
      "  - {time: .6}\n"
      "  - {time: .9, parameters: {strength: 0, size: 0}}\n"
      "  - {time: 1}\n";
  EXPECT_EQ(follow("sweep.yaml", yaml, 860).values, expected.values);
  const std::string csv = "relative_time,strength,size\n0,0,0\n.1,,\n.4,1,1\n.6,,\n.9,0,0\n1,,\n";
  EXPECT_EQ(follow("sweep.csv", csv, 860).values, expected.values);
}

TEST_F(MorphFileTest, TheFirstBreakpointDecidesWhatItBeginsFrom) {
  // No class named: the chosen one. A class named, even only by a weight: nothing but that.
  EXPECT_EQ(follow("a.yaml", "unit: seconds\nbreakpoints: [{time: 0}]\n", 1).values,
            (Values{1, 0, 0, .5F, .5F}));
  EXPECT_EQ(
      follow("a.yaml", "unit: seconds\nbreakpoints: [{time: 0, classes: {fire: .4}}]\n", 1).values,
      (Values{0, 0, .4F, .5F, .5F}));
  // A later one adds to what is there.
  EXPECT_EQ(follow("a.yaml",
                   "unit: seconds\nbreakpoints: [{time: 0}, {time: 0, classes: {fire: .4}}]\n", 1)
                .values,
            (Values{1, 0, .4F, .5F, .5F}));
}

TEST_F(MorphFileTest, TheFilesInterpolationIsTheDefaultOfItsBreakpoints) {
  const std::string points =
      "breakpoints:\n"
      "  - {time: 0, parameters: {size: 0}}\n"
      "  - {time: 1, parameters: {size: 1}, interpolation: linear}\n"
      "  - {time: 2, parameters: {size: 0}}\n";
  EXPECT_EQ(component(follow("a.yaml", "interpolation: hold\nunit: seconds\n" + points, 4), 4),
            (Values{0, 0, 1, .5F}));
  EXPECT_EQ(component(follow("a.yaml", "unit: seconds\n" + points, 4), 4),
            (Values{0, .5F, 1, .5F}));
}

TEST_F(MorphFileTest, WhatIsWrongInYamlIsSaidWithItsPlace) {
  const std::string head = "unit: seconds\nbreakpoints:\n";
  expect_refusal("a.yaml", head + "  - time: 0\n    classes: {hail: 1}\n",
                 {"a.yaml:4", "'hail'", "wind, rain, fire"});
  expect_refusal("a.yaml", head + "  - {time: 0, class: hail}\n", {"a.yaml:3", "'hail'", "wind"});
  expect_refusal("a.yaml", head + "  - {time: 0, parameters: {speed: 1}}\n",
                 {"a.yaml:3", "'speed'", "strength, size"});
  expect_refusal("a.yaml", head + "  - {time: 3}\n  - {time: 2.5}\n",
                 {"a.yaml:4", "2.5", "3", "not decrease"});
  expect_refusal("a.yaml", head + "  - {time: .nan}\n", {"a.yaml:3", ".nan", "number"});
  expect_refusal("a.yaml", head + "  - {time: nan}\n", {"a.yaml:3", "nan"});
  expect_refusal("a.yaml", head + "  - {time: -1}\n", {"a.yaml:3", "-1"});
  expect_refusal("a.yaml", head + "  - {time: 1e9}\n", {"a.yaml:3", "86400"});
  expect_refusal("a.yaml", head + "  - {time: 0, parameters: {size: nan}}\n",
                 {"a.yaml:3", "size", "nan", "1000000"});
  expect_refusal("a.yaml", head + "  - {time: 0, classes: {rain: inf}}\n",
                 {"a.yaml:3", "rain", "inf", "1000000"});
  expect_refusal("a.yaml", head + "  - {time: 0, classes: {rain: wet}}\n", {"rain", "'wet'"});
  expect_refusal("a.yaml", head + "  - {time: 0, classes: {rain: 1, rain: 0}}\n",
                 {"'rain'", "twice"});
  expect_refusal("a.yaml", head + "  - {time: 0, class: rain, classes: {rain: 1}}\n",
                 {"a.yaml:3", "class and classes"});
  expect_refusal("a.yaml", head + "  - {time: 0, classes: rain}\n", {"classes", "a map"});
  expect_refusal("a.yaml", head + "  - {time: 0, kind: rain}\n", {"'kind'", "parameters"});
  expect_refusal("a.yaml", head + "  - {parameters: {size: 1}}\n", {"a.yaml:3", "time"});
  expect_refusal("a.yaml", head + "  - {time: 0, interpolation: cubic}\n",
                 {"'cubic'", "linear, hold"});
  expect_refusal("a.yaml", head + "  - 7\n", {"a.yaml:3", "a map"});
  expect_refusal("a.yaml", "unit: relative\nbreakpoints: [{time: 1.5}]\n", {"1.5", "0 … 1"});
  expect_refusal("a.yaml", "unit: minutes\nbreakpoints: [{time: 0}]\n",
                 {"a.yaml:1", "minutes", "seconds or relative"});
  expect_refusal("a.yaml", "breakpoints: [{time: 0}]\n", {"unit", "missing"});
  expect_refusal("a.yaml", "unit: seconds\n", {"breakpoints", "missing"});
  expect_refusal("a.yaml", "unit: seconds\nbreakpoints: []\n", {"no breakpoint"});
  expect_refusal("a.yaml", "unit: seconds\nbreakpoints: 4\n", {"a.yaml:2", "a list"});
  expect_refusal("a.yaml", "unit: seconds\nspeed: 4\n", {"a.yaml:2", "'speed'", "interpolation"});
  expect_refusal("a.yaml", "", {"nothing"});
  expect_refusal("a.yaml", "- time: 0\n", {"a list"});
  expect_refusal("a.yaml", "unit: [\n", {"not valid YAML"});
  expect_refusal("a.yaml", std::string("unit: \0", 7), {"zero"});
}

TEST_F(MorphFileTest, DeepYamlIsRefusedBeforeItIsBuilt) {
  const std::string deep(100'000, '[');
  expect_refusal("a.yaml", "unit: seconds\nbreakpoints: " + deep, {"a.yaml:2", "deep"});
  expect_refusal("a.yaml", "a: &x [1]\nb: [*x, *x]\n", {"anchors"});
}

TEST_F(MorphFileTest, WhatIsWrongInCsvIsSaidWithItsPlace) {
  expect_refusal("a.csv", "", {"header", "time"});
  expect_refusal("a.csv", "rain,time\n1,0\n", {"line 1, column 1", "'rain'", "relative_time"});
  expect_refusal("a.csv", "time\n0\n", {"no column"});
  expect_refusal("a.csv", "time,rain\n", {"no breakpoint"});
  expect_refusal("a.csv", "time,hail\n0,1\n",
                 {"line 1, column 2", "'hail'", "wind, rain, fire", "strength, size"});
  expect_refusal("a.csv", "time,rain,rain\n0,1,1\n", {"line 1, column 3", "'rain'", "two columns"});
  expect_refusal("a.csv", "time,rain,\n0,1,1\n", {"column 3"});
  expect_refusal("a.csv", "time,rain\n0,1\n,1\n", {"line 3, column 1", "time", "empty"});
  expect_refusal("a.csv", "time,rain\n0,wet\n", {"line 2, column 2", "rain", "'wet'"});
  expect_refusal("a.csv", "time;rain\n0,5;1\n",
                 {"line 2, column 1", "time is '0,5', expected a number, with a point"});
  expect_refusal("a.csv", "time,rain\n  ,1\n", {"line 2, column 1", "time is empty"});
  expect_refusal("a.csv", "time,rain, rain\n0,1,1\n", {"line 1, column 3", "two columns"});
  expect_refusal("a.csv", "time,rain\n0,nan\n", {"line 2, column 2", "'nan'"});
  expect_refusal("a.csv", "time,rain\n0,1e60\n", {"line 2", "rain", "1000000"});
  expect_refusal("a.csv", "time,rain\n2,1\n1,0\n", {"line 3", "1 after 2"});
  expect_refusal("a.csv", "time,rain\n0,1,7\n", {"line 2, column 3", "'7'"});
  expect_refusal("a.csv", "time,rain,interpolation\n0,1,cubic\n",
                 {"line 2, column 3", "'cubic'", "linear, hold"});
  // What the reader of CSV finds is the user's mistake as well.
  expect_refusal("a.csv", "time,rain\n0,\"1\n", {"line 2, column 2", "never closed"});
  expect_refusal("a.csv", std::string("time\0", 5), {"byte 4 is zero"});
  expect_refusal("a.csv", "relative_time,rain\n0,1\n1.01,1\n", {"line 3", "1.01"});
}

TEST_F(MorphFileTest, ANameOfBothAClassAndAParameterNeedsYaml) {
  const std::vector<std::string> classes = {"wind"}, parameters = {"wind"};
  path_ = fs::temp_directory_path() / fmt::format("dsf_morph_{}_both.csv", getpid());
  std::ofstream(path_) << "time,wind\n0,1\n";
  try {
    read_morph_file(path_, classes, parameters);
    ADD_FAILURE() << "read without an error";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("YAML"), std::string::npos) << error.what();
  }
}

TEST_F(MorphFileTest, FilesThatCannotBeRead) {
  EXPECT_THROW(read_morph_file("no/such/morph.yaml", kClasses, kParameters), Error);
  EXPECT_THROW(read_morph_file(fs::temp_directory_path(), kClasses, kParameters), Error);
  EXPECT_THROW(read("big.csv", std::string(5 << 20, '\n')), Error);
}

TEST(MorphFileExamples, AreReadWithTheNamesTheyUse) {
  const fs::path folder = fs::path(DSF_SOURCE_DIR) / "configs/morphs";
  const std::vector<std::string> classes = {"DSPistons", "DSWind", "DSApplause", "DSBugs"};
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_TRUE(is_morph_file(entry.path().string()));
    const MorphFile morph = read_morph_file(entry.path(), classes, {"param1"});
    EXPECT_EQ(follow_morph(morph, 100, 86, {1, 0, 0, 0, .5F}, 4).frames, 100);
    ++files;
  }
  EXPECT_GE(files, 2U);
}

TEST(MorphFileName, IsToldByItsEnding) {
  EXPECT_TRUE(is_morph_file("a/b.yaml") && is_morph_file("b.yml") && is_morph_file("b.csv"));
  EXPECT_TRUE(is_morph_file("A.CSV") && is_morph_file("b.Yaml") && is_morph_file("b.YML"));
  EXPECT_FALSE(is_morph_file("sweep") || is_morph_file("yaml") || is_morph_file("a.txt"));
}

}  // namespace
}  // namespace dsf
