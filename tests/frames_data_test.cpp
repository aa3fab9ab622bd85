// Data frames: conditioning from tables, all that can be wrong with them, and files of any length.
#include "engine/data/data_frame.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/data/training_data.h"
#include "tests/frames_support.h"

namespace dsf::frames_test {
namespace {

class DataFrameTest : public FramesTest {
 protected:
  /// Reads a frame and expects exactly these faults, in order; each is given in part.
  DataFrame read(const std::string& csv, const std::vector<std::string>& expected = {}) {
    const fs::path path = write("f.csv", csv);
    Faults faults;
    DataFrame frame = read_data_frame(path, faults);
    const std::vector<std::string> texts = faults.texts();
    EXPECT_EQ(texts.size(), expected.size()) << fmt::format("{}", fmt::join(texts, "\n"));
    for (size_t i = 0; i < std::min(texts.size(), expected.size()); ++i) {
      EXPECT_TRUE(texts[i].starts_with(path.string() + ", line ")) << texts[i];
      expect_contains(texts[i], expected[i]);
    }
    return frame;
  }
  std::string refusal(const std::string& csv) {
    const fs::path path = write("f.csv", csv);
    Faults faults;
    const std::string message = error_of([&] { read_data_frame(path, faults); });
    EXPECT_TRUE(message.starts_with(path.string())) << message;
    return message;
  }
};

TEST_F(DataFrameTest, ColumnsAreFoundByName) {
  const DataFrame frame = read(
      "note to self,Class Name, force ,Full File Name,\"bright, warm\"\n"
      "x,wind,0.5,a.dac,1e-2\n"
      ",\" rain \",-3,  sub/b.dac,7\n"
      ",,,,\n");
  EXPECT_EQ(frame.parameter_names, (std::vector<std::string>{"force", "bright, warm"}));
  EXPECT_EQ(frame.class_names, (std::set<std::string>{"rain", "wind"}));
  ASSERT_EQ(frame.rows.size(), 2U);
  EXPECT_EQ(frame.rows[0].file_name, "a.dac");
  EXPECT_EQ(frame.rows[0].class_name, "wind");
  EXPECT_EQ(frame.rows[0].parameters, (std::vector<float>{0.5F, 0.01F}));
  EXPECT_EQ(frame.rows[1].file_name, "sub/b.dac");
  EXPECT_EQ(frame.rows[1].class_name, "rain");
  EXPECT_EQ(frame.rows[1].parameters, (std::vector<float>{-3, 7}));
  EXPECT_EQ(frame.rows[1].file_place, (folder_ / "f.csv").string() + ", line 3, column 4");
}

TEST_F(DataFrameTest, ParametersAreNotNeededAndClassesMayBeNumbers) {
  const DataFrame frame = read("Full File Name,Class Name\na.dac,10\nb.dac,9\n");
  EXPECT_TRUE(frame.parameter_names.empty());
  EXPECT_EQ(frame.class_names, (std::set<std::string>{"10", "9"}));
}

TEST_F(DataFrameTest, ATableOfParametersNeedsNoClasses) {
  const fs::path path =
      write("p.csv", "note,Full File Name,force\nx,a.dac,0.5\ny,b.dac,loud\nz,a.dac,1\n,,2\n");
  Faults faults;
  const DataFrame frame = read_parameter_table(path, faults);
  EXPECT_EQ(frame.parameter_names, std::vector<std::string>{"force"});
  EXPECT_TRUE(frame.class_names.empty());
  ASSERT_EQ(frame.rows.size(), 2U);
  EXPECT_EQ(frame.rows[0].parameters, std::vector<float>{0.5F});
  ASSERT_EQ(faults.count(), 3U);
  expect_contains(faults.texts()[0], "line 3, column 3: 'force' is 'loud'");
  expect_contains(faults.texts()[1], "line 4, column 2: 'a.dac' was there before");
  expect_contains(faults.texts()[2], "line 5, column 2: nothing, expected a file name");
}

TEST_F(DataFrameTest, FramesWithoutWhatIsNeededAreRefused) {
  expect_contains(refusal(""), "it is empty");
  expect_contains(refusal("Full File Name,Class Name\n"), "no rows below the names");
  expect_contains(refusal("Full File Name,Class,p\na.dac,x,1\n"),
                  "no column 'Class Name'; its first row names 'Full File Name', 'Class', 'p'");
  expect_contains(refusal("Class Name\nx\n"), "no column 'Full File Name'");
  expect_contains(refusal("Full File Name,Class Name,p,q, p\na,b,1,2,3\n"),
                  "line 1, column 5: the column 'p' was there before, in");
  Faults faults;
  expect_contains(error_of([&] { read_data_frame(folder_ / "none.csv", faults); }), "none.csv");
  expect_contains(error_of([&] { read_data_frame(write("f.ods", "x"), faults); }),
                  "a data frame is a .xlsx or .csv file");
  EXPECT_EQ(faults.count(), 0U);
}

TEST_F(DataFrameTest, EveryFaultyCellIsNamed) {
  const DataFrame frame = read(
      "Full File Name,Class Name,p,q\n"
      "a.dac,x,loud,\n"
      ",x,1,2\n"
      "b.dac, ,1,2\n"
      "good.dac,y,1,2\n"
      "./sub/../good.dac,y,1,2\n"
      "c.dac,x,nan,1e300\n"
      "d.dac,x,1,2,extra\n",
      {"line 2, column 3: 'p' is 'loud', expected a number such as 0.5",
       "line 2, column 4: 'q' is nothing, expected a number",
       "line 3, column 1: nothing, expected a file name",
       "line 4, column 2: nothing, expected a class",
       "line 6, column 1: './sub/../good.dac' was there before, in",
       "line 7, column 3: 'p' is 'nan'", "line 7, column 4: 'q' is '1e300'",
       "line 8, column 5: 'extra' in a column without a name"});
  ASSERT_EQ(frame.rows.size(), 5U);  // those with a file of their own
  EXPECT_EQ(frame.rows[0].parameters, (std::vector<float>{0, 0}));
  EXPECT_EQ(frame.rows[1].class_name, "");
  EXPECT_EQ(frame.rows[2].file_name, "good.dac");
  EXPECT_EQ(frame.class_names, (std::set<std::string>{"x", "y"}));
}

TEST_F(DataFrameTest, ADecimalCommaIsNoNumber) {
  read("Full File Name;Class Name;p\na.dac;x;0,5\n",
       {"line 2, column 3: 'p' is '0,5', expected a number such as 0.5, with a point"});
}

TEST_F(DataFrameTest, CellsOfASheetAreNamedByItsLetters) {
  const fs::path path =
      write("f.xlsx",
            make_zip(workbook(
                "<row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c><c t=\"s\"><v>2</v></c></row>"
                "<row r=\"7\"><c t=\"s\"><v>3</v></c><c t=\"s\"><v>4</v></c>"
                "<c t=\"s\"><v>5</v></c></row>",
                "<si><t>Full File Name</t></si><si><t>Class Name</t></si><si><t>p</t></si>"
                "<si><t>a.dac</t></si><si><t>x</t></si><si><t>0.5</t></si>")));
  Faults faults;
  read_data_frame(path, faults);
  ASSERT_EQ(faults.count(), 1U);  // text, even if it looks like a number
  EXPECT_EQ(faults.texts()[0], path.string() + ", C7: 'p' is '0.5', expected a number such as 0.5");
}

// ---- Whole data sets

class TrainingDataTest : public FramesTest {
 protected:
  TrainingDataTest() {
    config_.data_dir = folder_ / "train";
    config_.validator_data_dir = folder_ / "validate";
    config_.data_frame = folder_ / "train.csv";
    config_.validator_data_frame = folder_ / "validate.csv";
    config_.model.max_length = 12;
    config_.model.num_codebooks = 2;
    config_.model.vocab_size = 64;
    for (const fs::path& directory : {config_.data_dir, config_.validator_data_dir}) {
      fs::create_directories(directory);
      for (const uint64_t i : {1, 2, 3}) {
        write_dac(directory / fmt::format("{}.dac", i), make_dac(i, 13));
      }
    }
    write("train.csv",
          "Full File Name,Class Name,p,q\n2.dac,wind,0.5,1\n1.dac,rain,0.25,2\n3.dac,wind,0,3\n");
    write("validate.csv", "Full File Name,Class Name,q,p\n3.dac,wind,7,0.75\n");
  }

  /// Expects exactly these faults, each given in part.
  TrainingData load(const std::vector<std::string>& expected = {}) {
    Faults faults;
    TrainingData data = load_training_data(config_, faults);
    const std::vector<std::string> texts = faults.texts();
    EXPECT_EQ(texts.size(), expected.size()) << fmt::format("{}", fmt::join(texts, "\n"));
    for (size_t i = 0; i < std::min(texts.size(), expected.size()); ++i) {
      expect_contains(texts[i], expected[i]);
    }
    return data;
  }

  TrainingConfig config_;
};

TEST_F(TrainingDataTest, TheFrameGivesFilesClassesAndParameters) {
  const TrainingData data = load();
  EXPECT_EQ(data.config.class_names, (std::vector<std::string>{"rain", "wind"}));
  EXPECT_EQ(data.config.parameter_names, (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(data.config.model.cond_size(), 4);
  EXPECT_EQ(data.training.files, 3);
  EXPECT_EQ(data.training.begins, (std::vector<int64_t>{0, 13, 26, 39}));
  EXPECT_EQ(data.training.cond, (std::vector<float>{0, 1, 0.5F, 1, 1, 0, 0.25F, 2, 0, 1, 0, 3}));
  // In the frame's order: file 2 comes first. Tokens are [frames, codebooks], codes the reverse.
  const DacFile second = make_dac(2, 13);
  for (size_t t = 0; t < 13; ++t) {
    EXPECT_EQ(data.training.tokens[2 * t], second.codes[t]);
    EXPECT_EQ(data.training.tokens[2 * t + 1], second.codes[13 + t]);
  }
  // The validation frame's columns stand in another order.
  EXPECT_EQ(data.validation.cond, (std::vector<float>{0, 1, 0.75F, 7}));
}

TEST_F(TrainingDataTest, TheValidationFrameMustHaveTheSameClassesAndParameters) {
  write("validate.csv", "Full File Name,Class Name,q,p\n3.dac,snow,7,1\n2.dac,rain,7,1\n");
  load({"validate.csv, line 2, column 2: the class 'snow' is not known; known: rain, wind"});
  write("validate.csv", "Full File Name,Class Name,q\n3.dac,wind,7\n");
  load({"validate.csv: no column 'p'"});
  write("validate.csv", "Full File Name,Class Name,q,p,r\n3.dac,wind,7,1,1\n");
  load({"validate.csv: the parameter 'r' is not known"});
}

TEST_F(TrainingDataTest, AllFaultsAreFoundAtOnce) {
  const auto file = [&](const char* name) { return (config_.data_dir / name).string(); };
  write_dac(file("short.dac"), make_dac(1, 12));
  write_dac(file("long.dac"), make_dac(1, 14));
  write_dac(file("codes.dac"), make_dac(1, 13, 1000));
  std::ofstream(file("broken.dac")) << "\x93NUMPY nothing";
  write("train.csv",
        "Full File Name,Class Name,p,q\n"
        "none.dac,rain,1,much\n"
        "absent.dac,rain,1,1\n"
        "short.dac,rain,1,1\n"
        "2.dac,rain,1,1\n"
        "2.dac,rain,1,1\n"
        "long.dac,rain,1,1\n"
        "codes.dac,rain,1,1\n"
        "broken.dac,rain,1,1\n");
  const std::vector<std::string> expected = {
      "line 2, column 4: 'q' is 'much'",
      "line 6, column 1: '2.dac' was there before",
      "line 2, column 1: " + file("none.dac") + ": cannot open",
      "line 3, column 1: " + file("absent.dac") + ": cannot open",
      "line 4, column 1: " + file("short.dac") + ": 12 frames, expected Tt + 1 = 13",
      "line 7, column 1: " + file("long.dac") +
          ": 14 frames, expected Tt + 1 = 13 (random_crop: true takes random parts",
      "line 8, column 1: " + file("codes.dac") + ": code ",
      "line 9, column 1: " + file("broken.dac") + ": ",
      "validate.csv, line 2, column 2: the class 'wind' is not known; known: rain"};
  const TrainingData data = load(expected);
  EXPECT_EQ(data.training.files, 1);
  const std::string message = error_of([&] { load_training_data(config_); });
  expect_contains(message, "9 faults in the data");
  expect_contains(message, expected[0]);
  EXPECT_EQ(std::ranges::count(message, '\n'), 6)
      << message;  // five of them, and that there is more
}

TEST_F(TrainingDataTest, FilesAreReadWhateverIsWrongWithWhatNamesThem) {
  const fs::path validation = config_.validator_data_dir;
  write_dac(validation / "3.dac", make_dac(3, 12));
  // Its parameters are others than the training frame's.
  write("validate.csv", "Full File Name,Class Name,q,r\n3.dac,snow,7,1\n2.dac,,7,1\n4.dac,,7,1\n");
  const std::vector<std::string> of_files = {"3.dac: 12 frames", "4.dac: cannot open"};
  load({"validate.csv, line 3, column 2: nothing", "validate.csv, line 4, column 2: nothing",
        "the parameter 'r' is not known", "no column 'p'", "the class 'snow' is not known",
        of_files[0], of_files[1]});
  // Without a training frame there are no classes to compare with.
  write("train.csv", "nothing\n");
  const TrainingData data =
      load({"train.csv: no column", "validate.csv, line 3, column 2: nothing",
            "validate.csv, line 4, column 2: nothing", of_files[0], of_files[1]});
  EXPECT_EQ(data.validation.files, 0);
}

TEST_F(TrainingDataTest, EverythingThatIsWrongWithAFileIsSaid) {
  DacFile file = make_dac(2, 12);
  file.n_codebooks = 2;
  file.codes.resize(2 * 12);
  file.codes[0] = 77;
  config_.model.num_codebooks = 3;
  write_dac(config_.data_dir / "2.dac", file);
  load({"2.dac: 2 codebooks, expected at least num_tokens = 3",
        "2.dac: 12 frames, expected Tt + 1 = 13", "2.dac: code 77 in codebook 0, frame 0"});
}

TEST_F(TrainingDataTest, WrongCodesAreCounted) {
  DacFile file = make_dac(2, 13);  // codes below vocab_size = 64
  file.codes[2 * 13] = 99;         // of a codebook that the model does not take
  write_dac(config_.data_dir / "2.dac", file);
  load();
  file.codes[13 + 4] = 64;
  write_dac(config_.data_dir / "2.dac", file);
  load({"2.dac: code 64 in codebook 1, frame 4; expected codes below vocab_size = 64"});
  file.codes[13 + 5] = 65;
  file.codes[13 + 12] = 66;
  write_dac(config_.data_dir / "2.dac", file);
  load({"2.dac: code 64 in codebook 1, frame 4 and 2 more; expected codes below vocab_size = 64"});
}

TEST_F(TrainingDataTest, FramesThatCannotBeReadAreFaultsOfBothSets) {
  write("train.csv", "nothing\n");
  fs::remove(config_.validator_data_frame);
  load({"train.csv: no column 'Full File Name'", "validate.csv: cannot open"});
}

TEST_F(TrainingDataTest, FileNamesAreFaultsOneByOne) {
  config_.data_frame.clear();
  config_.validator_data_frame.clear();
  config_.validator_data_dir.clear();
  config_.class_names = {"rain"};
  config_.class_aliases = {{}};
  config_.model.num_classes = config_.model.num_parameters = 1;
  const fs::path& directory = config_.data_dir;
  for (const int i : {1, 2}) fs::remove(directory / fmt::format("{}.dac", i));
  write_dac(directory / "rain--p-00.50--x.dac", make_dac(1, 13));
  write_dac(directory / "rain--p-00.60--x.dac", make_dac(1, 15));
  write_dac(directory / "wind--p-00.50--x.dac", make_dac(1, 11));
  write_dac(directory / "3.dac", make_dac(1, 10));
  fs::create_directories(directory / "sub/sub");
  const std::vector<std::string> others = {"sub/a.dac", "sub/sub/b.DAC", "c.DAC"};
  for (const std::string& name : others) write_dac(directory / name, make_dac(1, 13));
  const TrainingData data = load(
      {"3.dac: the name does not say", "the class 'wind' is not known; known: rain",
       "3.dac: 10 frames", "rain--p-00.60--x.dac: 15 frames", "wind--p-00.50--x.dac: 11 frames"});
  EXPECT_EQ(data.training.files, 1);
  EXPECT_EQ(data.config.parameter_names, std::vector<std::string>{"p"});
  const std::string counts = "2 .dac files in folders below it and 1 file named .DAC";
  EXPECT_EQ(data.notes,
            std::vector<std::string>{directory.string() + ": passed over are " + counts});
  fs::remove_all(directory);
  for (const std::string& name : others) {
    fs::create_directories((directory / name).parent_path());
    write_dac(directory / name, make_dac(1, 13));
  }
  load({directory.string() + ": no .dac files in this folder, which has " + counts});
  fs::remove_all(directory);
  load({directory.string() + ": cannot read this folder"});
}

TEST_F(TrainingDataTest, OnlyUsageErrorsAreAUsageError) {
  Faults faults;
  EXPECT_NO_THROW(faults.fail_if_any());
  faults.collect("", [] { fail_usage("asked"); });
  EXPECT_THROW(faults.fail_if_any(), UsageError);
  faults.add("data");
  try {
    faults.fail_if_any();
    ADD_FAILURE() << "no error";
  } catch (const UsageError&) {
    ADD_FAILURE() << "the data are wrong, too";
  } catch (const Error&) {
  }
}

// ---- Random crops

TEST_F(TrainingDataTest, LongerFilesAreCroppedAtRandom) {
  config_.random_crop = true;
  write_dac(config_.data_dir / "1.dac", make_dac(1, 40));
  write_dac(config_.data_dir / "3.dac", make_dac(1, 12));
  TrainingData data = load({"3.dac: 12 frames, expected at least Tt + 1 = 13"});
  EXPECT_EQ(data.training.begins, (std::vector<int64_t>{0, 13, 53}));

  // Every place of the longer file is drawn about equally often: of n draws from k places a count
  // has the standard deviation sqrt(n (1/k)(1 - 1/k)); five of them leave 6e-7 for each place.
  constexpr int kDraws = 28'000, kPlaces = 28;
  std::vector<int> counts(kPlaces);
  for (int64_t epoch = 1; epoch <= kDraws; ++epoch) {
    EXPECT_EQ(random_crop_begin(data.training, 0, 5, epoch), 0);
    ++counts.at(static_cast<size_t>(random_crop_begin(data.training, 1, 5, epoch)));
  }
  const double mean = double{kDraws} / kPlaces;
  const double deviation = std::sqrt(mean * (1 - 1.0 / kPlaces));
  for (const int count : counts) EXPECT_NEAR(count, mean, 5 * deviation);

  // Seeds and epochs draw anew; the same ones draw the same.
  const auto draws = [&](uint64_t seed, int64_t epoch) {
    std::vector<int64_t> begins;
    for (int64_t i = 0; i < 20; ++i) {
      begins.push_back(random_crop_begin(data.training, 1, seed, epoch + i));
    }
    return begins;
  };
  EXPECT_EQ(draws(5, 1), draws(5, 1));
  EXPECT_NE(draws(5, 1), draws(6, 1));
  EXPECT_NE(draws(5, 1), draws(5, 21));
}

TEST_F(TrainingDataTest, UpstreamsFrames) {
  if (!fs::exists(kShared)) GTEST_SKIP() << "SKIPPED: no " << kShared;
  config_.model.max_length = 430;
  config_.model.num_codebooks = 4;
  config_.model.vocab_size = 1024;
  config_.data_frame = kShared / "minisyntex/dac-train.xlsx";
  config_.data_dir = kShared / "minisyntex/dac-train";
  config_.validator_data_frame = kShared / "minisyntex/dac-val.xlsx";
  config_.validator_data_dir = kShared / "minisyntex/dac-val";
  TrainingData data = load();
  EXPECT_EQ(data.config.class_names,
            (std::vector<std::string>{"DSApplause", "DSBugs", "DSPistons", "DSWind"}));
  EXPECT_EQ(data.config.parameter_names, (std::vector<std::string>{"Param1", "foo", "bar"}));
  EXPECT_EQ(std::vector<float>(data.training.cond.begin(), data.training.cond.begin() + 7),
            (std::vector<float>{0, 1, 0, 0, 1, 0.2F, 0.1F}));
  EXPECT_EQ(data.validation.files, 4);
  config_.data_frame = kShared / "Lala_data/lala_param_train.xlsx";
  config_.data_dir = kShared / "Lala_data/lala_dac";
  config_.validator_data_frame.clear();
  data = load();
  EXPECT_EQ(data.config.class_names, std::vector<std::string>{"solfege"});
  EXPECT_EQ(data.config.parameter_names, std::vector<std::string>{"note"});
  EXPECT_EQ(data.training.files, 8);
}

}  // namespace
}  // namespace dsf::frames_test
