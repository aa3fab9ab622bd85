// dsf_check's command line.
#include <gtest/gtest.h>
#include <unistd.h>

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
