#pragma once
// The programs in a folder with a tiny run's data and configuration.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/program.h"
#include "tests/tiny_run.h"

namespace dsf::testing {

class TinyAppTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("dsf_app_{}_{}", test->name(), static_cast<int>(getpid()));
    std::filesystem::create_directories(directory_);
    make_tiny_data(directory_ / "train", 4, 11);
    make_tiny_data(directory_ / "validate", 2, 12);
    write_tiny_config(directory_ / "params.yaml", "StreamingDACTransformer");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Outcome run(const std::vector<std::string>& words) { return Program(directory_, words).wait(); }

  /// Runs the words and expects exit code `code` and all of `parts` in what it prints.
  void expect_refusal(const std::vector<std::string>& words, int code,
                      const std::vector<std::string>& parts) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                              << outcome.output;
    }
  }

  std::filesystem::path directory_;
};

}  // namespace dsf::testing
