// Programs whose standard streams are closed, full or without a reader.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "tests/tiny_app.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::read_text;

class AppStreams : public testing::TinyAppTest {
 protected:
  /// The exit code of a line of the shell that begins with a program of this build.
  int shell(const std::string& line) const {
    const std::string command = fmt::format("cd '{}' && PATH='{}:{}' && {}", directory_.string(),
                                            DSF_BINARY_DIR, std::getenv("PATH"), line);
    return WEXITSTATUS(std::system(command.c_str()));
  }

  /// The names of the files in a folder, TensorBoard's without what tells one run from another.
  std::set<std::string> files(const std::string& folder) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_ / folder)) {
      const std::string name = entry.path().filename().string();
      names.insert(name.starts_with("events.") ? "events" : name);
    }
    return names;
  }

  /// Trains as `redirection` says and expects the files of a run whose log was written.
  void expect_trained(const std::string& redirection) const {
    fs::remove_all(directory_ / "runs");
    ASSERT_EQ(shell("dsf_train params.yaml 2>log"), 0) << read_text(directory_ / "log");
    const std::set<std::string> expected = files("runs/tiny");
    fs::remove_all(directory_ / "runs");
    EXPECT_EQ(shell("dsf_train params.yaml " + redirection), 0) << redirection;
    EXPECT_EQ(files("runs/tiny"), expected) << redirection;
    for (const auto& entry : fs::directory_iterator(directory_ / "runs/tiny")) {
      if (entry.path().filename().string().starts_with("events.")) {
        EXPECT_EQ(read_text(entry.path()).find("training loss"), std::string::npos) << redirection;
      }
    }
  }
};

TEST_F(AppStreams, AClosedLogDoesNotEndUpInFiles) {
  expect_trained("2>&-");
  expect_trained("<&- >&- 2>&-");
}

TEST_F(AppStreams, LostLogLinesDoNotEndTheWork) {
  expect_trained("2>/dev/full");
}

TEST_F(AppStreams, ALogWithoutAReaderDoesNotEndTheWork) {
  // The reader has gone before the first line is written; the exit code goes to a file.
  shell("{ sleep 0.3; dsf_train params.yaml; echo $? >code; } 2>&1 | true");
  while (!fs::exists(directory_ / "code") || read_text(directory_ / "code").empty()) usleep(10000);
  EXPECT_EQ(read_text(directory_ / "code"), "0\n");
}

TEST_F(AppStreams, GenerationNeedsNoLog) {
  ASSERT_EQ(shell("dsf_train params.yaml 2>log"), 0) << read_text(directory_ / "log");
  const std::string generate = "dsf_infer runs/tiny --duration 0.2 --out ";
  ASSERT_EQ(shell(generate + "expected 2>log"), 0) << read_text(directory_ / "log");
  for (const auto& [folder, redirection] :
       {std::pair("closed", "2>&-"), std::pair("full", "2>/dev/full")}) {
    EXPECT_EQ(shell(generate + folder + " " + redirection), 0) << redirection;
    EXPECT_EQ(files(folder), files("expected")) << redirection;
  }
}

TEST_F(AppStreams, WhatIsPrintedAndLostIsAFailure) {
  const std::string golden =
      std::string(DSF_SOURCE_DIR) + "/tests/data/transformer/rope_concat_tiny";
  for (const std::string& line :
       {std::string("dsf_train --help"), std::string("dsf_train --version"),
        std::string("dsf_train params.yaml --dry-run"), "dsf_check '" + golden + "'"}) {
    EXPECT_EQ(shell(line + " >printed 2>log"), 0) << line << "\n" << read_text(directory_ / "log");
    EXPECT_FALSE(read_text(directory_ / "printed").empty()) << line;
    for (const char* redirection : {" >/dev/full", " >&-"}) {
      EXPECT_EQ(shell(line + redirection + " 2>log"), 1) << line << redirection;
      const std::string log = read_text(directory_ / "log");
      EXPECT_NE(log.find("standard output could not be written"), std::string::npos)
          << line << redirection << "\n"
          << log;
    }
  }
  // What was misused stays that.
  EXPECT_EQ(shell("dsf_train --no-such-option >/dev/full 2>log"), 2);
}

}  // namespace
}  // namespace dsf
