// Training data: what file names say, and what is checked of every file of a folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/codec/codec_weights.h"
#include "engine/data/file_name_conditioning.h"
#include "engine/data/training_data.h"
#include "engine/files/counted.h"
#include "engine/files/dac_file.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;

// ---- File names

TEST(FileNameConditioning, TakesANameApart) {
  const FileNameConditioning named = parse_file_name("some/folder/DSWind--gust-01.25--c-02--x.dac");
  EXPECT_EQ(named.file, "some/folder/DSWind--gust-01.25--c-02--x.dac");
  EXPECT_EQ(named.class_name, "DSWind");
  EXPECT_EQ(named.parameter_name, "gust");
  EXPECT_EQ(named.value, 1.25F);
}

TEST(FileNameConditioning, NamesAndDigitsMayBeOfAnyKind) {
  const FileNameConditioning named = parse_file_name("Regen (leicht)--Stärke_1-0.5-.dac");
  EXPECT_EQ(named.class_name, "Regen (leicht)");
  EXPECT_EQ(named.parameter_name, "Stärke_1");
  EXPECT_EQ(named.value, 0.5F);
  EXPECT_EQ(parse_file_name("a--b-000.0000-").value, 0.0F);
  EXPECT_EQ(parse_file_name("a--b-1.5-2.5-").value, 1.5F);
}

TEST(FileNameConditioning, NonsenseNamesAreErrorsThatShowTheForm) {
  for (const char* name :
       {"", "nonsense.dac", "Wind.dac", "--gust-01.00-.dac", "Wind--.dac", "Wind---01.00-.dac",
        "Wind-gust-01.00-.dac", "Wind--gust--01.00-.dac", "Wind--gust-01-.dac",
        "Wind--gust-.50-.dac", "Wind--gust-1.-.dac", "Wind--gust-01.00.dac", "Wind--gust-1,5-.dac",
        "Wind--gust--1.5-.dac", "Wind--gust-+1.5-.dac", "Wind--gust-1e3.0-.dac",
        "Wind--gust-nan-.dac", "My-Wind--gust-01.00-.dac", "Wind--gu-st-01.00-.dac"}) {
    expect_error<Error>([&] { parse_file_name(fs::path("data") / name); },
                        {"data/" + std::string(name), "Class--Parameter-01.00-"});
  }
}

TEST(FileNameConditioning, AValueBeyondAFloatIsNoValue) {
  const std::string huge = "Wind--gust-" + std::string(60, '9') + ".0-.dac";
  expect_error<Error>([&] { parse_file_name(huge); }, {huge});
}

FileNameConditioning named(const std::string& class_name) {
  return {"data/x.dac", class_name, "gust", 0.75F};
}

TEST(ConditioningVector, IsOneHotThenTheParameter) {
  const std::vector<std::string> classes{"wind", "rain", "bees"};
  const std::vector<std::vector<std::string>> aliases{{"DSWind"}, {}, {"DSBugs", "insects"}};
  const auto vector = [&](const std::string& name, int64_t parameters) {
    return conditioning_vector(named(name), classes, aliases, parameters);
  };
  EXPECT_EQ(vector("wind", 1), (std::vector<float>{1, 0, 0, 0.75F}));
  EXPECT_EQ(vector("rain", 0), (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(vector("insects", 1), (std::vector<float>{0, 0, 1, 0.75F}));
  EXPECT_EQ(conditioning_vector(named("anything"), {}, {}, 1), std::vector<float>{0.75F});
  expect_error<UsageError>([&] { vector("Wind", 1); },
                           {"data/x.dac", "'Wind'", "wind, DSWind, rain, bees, DSBugs, insects"});
  expect_error<UsageError>([&] { vector("wind", 2); }, {"data/x.dac", "one parameter", "2"});
}

// ---- Folders

class DatasetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::temp_directory_path() /
                 fmt::format("dsf_data_{}_{}", test->name(), static_cast<int>(getpid()));
    fs::create_directories(directory_);
    config_.model.max_length = 4;
    config_.model.num_codebooks = 2;
    config_.model.vocab_size = 100;
    config_.model.num_classes = 2;
    config_.model.num_parameters = 1;
    config_.class_names = {"rain", "fire"};
    config_.class_aliases = {{}, {}};
  }
  void TearDown() override { fs::remove_all(directory_); }

  /// Code 10·n + t in codebook n of frame t.
  static DacFile make_file(int64_t codebooks = 3, int64_t frames = 5, int64_t channels = 1) {
    DacFile file;
    file.channels = channels;
    file.n_codebooks = codebooks;
    file.frames = frames;
    for (int64_t i = 0; i < channels * codebooks * frames; ++i) {
      file.codes.push_back(static_cast<uint16_t>(i / frames % codebooks * 10 + i % frames));
    }
    file.metadata = {-20, frames * 512, 44100, frames, channels, true, "1.0.0"};
    return file;
  }
  fs::path path(const std::string& name) const { return directory_ / name; }
  /// The folder as training data, without validation.
  TrainingData load_folder(const fs::path& directory) const {
    TrainingConfig config = config_;
    config.data_dir = directory;
    return load_training_data(config);
  }
  Dataset load() const { return load_folder(directory_).training; }
  std::vector<std::string> parameter_names() const {
    return load_folder(directory_).config.parameter_names;
  }

  /// The one file that is wrong stands among others that are not.
  void expect_refusal(const DacFile& file, const std::vector<std::string>& parts) const {
    write_dac(path("fire--heat-00.10-a.dac"), make_file());
    write_dac(path("fire--heat-00.20-bad.dac"), file);
    write_dac(path("rain--heat-00.30-c.dac"), make_file());
    expect_error<Error>([&] { load(); }, {path("fire--heat-00.20-bad.dac").string() + ":"});
    expect_error<Error>([&] { load(); }, parts);
  }

  fs::path directory_;
  TrainingConfig config_;
};

TEST_F(DatasetTest, FilesAreReadInOrderOfTheirNames) {
  write_dac(path("rain--heat-00.30-c.dac"), make_file());
  write_dac(path("fire--heat-01.50-a.dac"), make_file());
  std::ofstream(path("notes.txt")) << "is not looked at";
  const Dataset data = load();
  EXPECT_EQ(data.files, 2);
  EXPECT_EQ(data.frames, 5);
  EXPECT_EQ(data.codebooks, 2);
  EXPECT_EQ(data.cond, (std::vector<float>{0, 1, 1.5F, 1, 0, 0.3F}));
  EXPECT_EQ(parameter_names(), std::vector<std::string>{"heat"});
  const std::vector<int32_t> one{0, 10, 1, 11, 2, 12, 3, 13, 4, 14};  // [frames, 2 of 3 codebooks]
  std::vector<int32_t> both = one;
  both.insert(both.end(), one.begin(), one.end());
  EXPECT_EQ(data.tokens, both);
}

TEST_F(DatasetTest, ParameterNamesOfTheConfigurationComeFirst) {
  write_dac(path("rain--heat-00.30-.dac"), make_file());
  write_dac(path("fire--size-00.30-.dac"), make_file());
  EXPECT_EQ(parameter_names(), std::vector<std::string>{"param1"});  // names disagree
  config_.parameter_names = {"force"};
  EXPECT_EQ(parameter_names(), std::vector<std::string>{"force"});
  config_.parameter_names.clear();
  config_.model.num_parameters = 0;
  EXPECT_TRUE(parameter_names().empty());
}

TEST_F(DatasetTest, OtherLengthsAreRefused) {
  expect_refusal(make_file(3, 4), {"4 frames", "Tt + 1 = 5"});
  expect_refusal(make_file(3, 6), {"6 frames", "Tt + 1 = 5"});
}

TEST_F(DatasetTest, TooFewCodebooksAreRefused) {
  expect_refusal(make_file(1), {"1 codebook,", "num_tokens = 2"});
}

TEST_F(DatasetTest, MoreCodebooksThanTheNamedCodecHasAreRefused) {
  const std::string codec = DSF_SOURCE_DIR "/tests/data/dac/tiny/weights.pth";
  const int64_t most = read_codec_weights(codec).config.n_codebooks;
  write_dac(path("fire--rate-00.50--x.dac"), make_file(most));
  write_dac(path("rain--rate-00.50--x.dac"), make_file(most + 1));
  EXPECT_EQ(load_folder(directory_).training.files, 2) << "without a codec the first are taken";
  config_.codec = codec;
  expect_error<Error>(
      [&] { load_folder(directory_); },
      {"rain--rate", counted(most + 1, "codebook"), "tiny/weights.pth", "set codec to"});
  fs::remove(path("rain--rate-00.50--x.dac"));
  EXPECT_EQ(load_folder(directory_).training.files, 1);
  config_.codec = path("absent.pth");
  const TrainingData silent = load_folder(directory_);
  EXPECT_EQ(silent.training.files, 1) << "training does not need it";
  ASSERT_EQ(silent.notes.size(), 1U);
  EXPECT_NE(silent.notes[0].find("is not heard: " + config_.codec), std::string::npos);
  std::ofstream(path("damaged.pth")) << "none";
  config_.codec = path("damaged.pth");
  const TrainingData data = load_folder(directory_);
  EXPECT_EQ(data.training.files, 1) << "nor that";
  ASSERT_EQ(data.notes.size(), 1U);
  EXPECT_NE(data.notes[0].find("the codec cannot be read: " + config_.codec), std::string::npos);
}

TEST_F(DatasetTest, TheCodecIsSaidToBeWrongWhateverElseIs) {
  config_.codec = DSF_SOURCE_DIR "/tests/data/dac/tiny/weights.pth";
  const int64_t most = read_codec_weights(config_.codec).config.n_codebooks;
  write_dac(path("rain--rate-00.50--x.dac"), make_file(most + 1, 6));
  write_dac(path("snow--rate-00.50--x.dac"), make_file(most + 2));
  config_.data_dir = directory_;
  Faults faults;
  load_training_data(config_, faults);
  const std::vector<std::string> texts = faults.texts();
  ASSERT_EQ(texts.size(), 3U);
  EXPECT_NE(texts[0].find("'snow'"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find("6 frames"), std::string::npos) << texts[1];
  EXPECT_NE(texts[2].find("set codec to"), std::string::npos) << texts[2];
  EXPECT_NE(texts[2].find("snow--"), std::string::npos) << texts[2];
}

// data_dir may be a whole home.
TEST_F(DatasetTest, OfWhatIsPassedOverTheFirstFilesAreCounted) {
  write_dac(path("fire--rate-00.50--x.dac"), make_file());
  fs::create_directory(path("below"));
  for (int i = 0; i < 10'010; ++i) std::ofstream(path(fmt::format("below/{}.dac", i)));
  const std::vector<std::string> notes = load_folder(directory_).notes;
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("passed over are at least 10000 .dac files in folders below it"),
            std::string::npos)
      << notes[0];
}

TEST_F(DatasetTest, SeveralChannelsAreRefused) {
  expect_refusal(make_file(3, 5, 2), {"2 channels", "expected 1"});
}

TEST_F(DatasetTest, CodesBeyondTheVocabularyAreRefusedWithTheirPlace) {
  DacFile file = make_file();
  file.codes[1 * 5 + 3] = 100;
  expect_refusal(file, {"code 100 in codebook 1, frame 3", "vocab_size = 100"});
  file = make_file();
  file.codes[2 * 5 + 3] = 100;  // in a codebook that the model does not take
  write_dac(path("fire--heat-00.20-bad.dac"), file);
  EXPECT_EQ(load().files, 3);
}

TEST_F(DatasetTest, UnknownClassesAreRefusedAndTheKnownListed) {
  write_dac(path("thunder--heat-00.20-.dac"), make_file());
  expect_error<UsageError>([&] { load(); },
                           {path("thunder--heat-00.20-.dac").string(), "'thunder'", "rain, fire"});
}

TEST_F(DatasetTest, NonsenseNamesAndFilesAreRefused) {
  write_dac(path("nonsense.dac"), make_file());
  expect_error<Error>([&] { load(); }, {path("nonsense.dac").string()});
  fs::remove(path("nonsense.dac"));
  std::ofstream(path("rain--heat-00.30-.dac")) << "not a .dac file";
  expect_error<Error>([&] { load(); }, {path("rain--heat-00.30-.dac").string()});
  fs::remove(path("rain--heat-00.30-.dac"));
  fs::create_directory(path("rain--heat-00.40-.dac"));
  expect_error<Error>([&] { load(); }, {path("rain--heat-00.40-.dac").string(), "directory"});
}

TEST_F(DatasetTest, FoldersWithoutDataAreRefused) {
  expect_error<Error>([&] { load(); }, {directory_.string(), "no .dac files"});
  const fs::path absent = directory_ / "absent";
  expect_error<Error>([&] { load_folder(absent); }, {absent.string()});
  std::ofstream(path("file")) << "x";
  expect_error<Error>([&] { load_folder(path("file")); }, {path("file").string()});
}

}  // namespace
}  // namespace dsf
