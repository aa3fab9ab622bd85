#pragma once
// dsf_codec as a user runs it, in a folder of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/program.h"

namespace dsf::testing {

class CodecAppTest : public ::testing::Test {
 protected:
  static inline const std::string kWeights =
      std::string(DSF_SOURCE_DIR) + "/tests/data/dac/tiny/weights.pth";

  /// `command` is the subcommand under test.
  explicit CodecAppTest(std::string command) : command_(std::move(command)) {}

  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("dsf_codec_{}_{}", test->name(), static_cast<int>(getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Outcome run(const std::vector<std::string>& words, const std::string& weights = kWeights,
              Rights rights = Rights::ours) {
    std::vector<std::string> line{"dsf_codec", command_};
    line.insert(line.end(), words.begin(), words.end());
    if (!weights.empty()) line.insert(line.end(), {"--weights", weights});
    return Program(directory_, line, {}, rights).wait();
  }
  /// Runs it and expects exit code `code` and all of `parts` in what is printed.
  void expect(const std::vector<std::string>& words, int code,
              const std::vector<std::string>& parts, const std::string& weights = kWeights,
              Rights rights = Rights::ours) {
    const Outcome outcome = run(words, weights, rights);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                              << outcome.output;
    }
  }
  /// Names of all files in a folder, relative to it, sorted.
  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / folder)) {
      if (entry.is_regular_file()) {
        names.push_back(entry.path().lexically_relative(directory_ / folder).string());
      }
    }
    std::ranges::sort(names);
    return names;
  }

  std::filesystem::path directory_;

 private:
  std::string command_;
};

}  // namespace dsf::testing
