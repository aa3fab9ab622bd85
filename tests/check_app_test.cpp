// dsf_check's command line.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/changed_case.h"
#include "tests/program.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

const std::string kCases = std::string(DSF_SOURCE_DIR) + "/tests/data/";

testing::Outcome check(std::vector<std::string> words) {
  const fs::path directory =
      fs::temp_directory_path() / ("dsf_check_" + std::to_string(static_cast<int>(getpid())));
  fs::create_directories(directory);
  words.insert(words.begin(), "dsf_check");
  testing::Outcome outcome = testing::Program(directory, words).wait();
  fs::remove_all(directory);
  return outcome;
}

TEST(CheckApp, FilesBesideFoldersAreSkipped) {
  const std::string file = kCases + "dac/numpy2.dac";
  const testing::Outcome both = check({file, kCases + "dac/tiny"});
  EXPECT_EQ(both.exit_code, 0) << both.output;
  EXPECT_TRUE(both.output.starts_with(file + ": a file, skipped\n")) << both.output;
  EXPECT_EQ(check({file}).exit_code, 2) << "nothing but a file was meant to be a case";
  EXPECT_EQ(check({kCases + "dac/tiny", kCases + "absent"}).exit_code, 2);
  EXPECT_EQ(check({"--quiet", file, kCases + "dac/tiny"}).output, "");
}

TEST(CheckApp, TheExitCodeTellsWhatIsAbove) {
  const testing::ChangedCase wrong(kCases + "dac/tiny", [](TensorFile& file) {
    file.tensors.at("encode/codes").bytes.front() ^= std::byte{1};
  });
  const std::string line =
      wrong.path().string() + " encode/codes: error 1.00e+00, limit 0e+00, ABOVE\n";
  for (const bool quiet : {false, true}) {
    std::vector<std::string> words{kCases + "dac/tiny", wrong.path()};
    if (quiet) words.emplace_back("--quiet");
    const testing::Outcome outcome = check(words);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
    EXPECT_NE(outcome.output.find(line), std::string::npos) << outcome.output;
    EXPECT_NE(outcome.output.find("16 quantities checked, 1 above"), std::string::npos)
        << outcome.output;
  }
  const testing::Outcome also = check({kCases + "absent", wrong.path()});
  EXPECT_EQ(also.exit_code, 1) << "what is unusable does not hide what is wrong";
  EXPECT_NE(also.output.find(kCases + "absent: "), std::string::npos) << also.output;
  EXPECT_NE(also.output.find(line), std::string::npos) << also.output;
}

TEST(CheckApp, WhatIsNotSupportedYetIsSaid) {
  const testing::ChangedCase later(kCases + "transformer/rope_film_tiny",
                                   [](TensorFile& file) { file.metadata["variant"] = "mamba"; });
  const testing::Outcome outcome = check({later.path()});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_NE(outcome.output.find("logits: not supported yet"), std::string::npos) << outcome.output;
  EXPECT_EQ(check({later.path(), kCases + "dac/tiny"}).exit_code, 2);
}

TEST(CheckApp, WhatIsNotComparedTakesOneLine) {
  const testing::Outcome outcome = check({kCases + "transformer/rope_concat_tiny"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string words = "not compared: in this case all of adam3/ equals param/";
  const size_t at = outcome.output.find(words);
  ASSERT_NE(at, std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find(words, at + 1), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("rope_concat_tiny adam3/ ("), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace dsf
