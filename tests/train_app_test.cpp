// dsf_train's beginnings and ends: where it resumes, what it leaves, what it says.
#include <csignal>

#include "tests/tiny_app.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::Program;

class TrainApp : public testing::TinyAppTest {};

TEST_F(TrainApp, ARunOfAnotherFolderIsNotBegunAnewInsteadOfResumed) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const fs::path elsewhere = directory_ / "elsewhere";
  fs::create_directories(elsewhere);
  const auto resume = [&](const fs::path& from, std::vector<std::string> more) {
    std::vector<std::string> words = {"dsf_train", "--resume"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = Program(from, words).wait();
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    return outcome.output;
  };
  EXPECT_NE(resume(elsewhere, {"../runs/tiny/params.yaml"}).find("--runs-dir ../runs"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(elsewhere / "runs"));
  EXPECT_NE(resume(directory_ / "runs/tiny", {"params.yaml"}).find("--runs-dir .."),
            std::string::npos);
  EXPECT_NE(resume(directory_, {"runs/tiny/params.yaml", "--set", "experiment=new"})
                .find("--runs-dir runs/ --set experiment=tiny"),
            std::string::npos);
  // A copy of it that has no checkpoint beside it may still begin.
  expect_refusal({"dsf_train", "params.yaml", "--set", "experiment=new", "--resume"}, 0,
                 {"starting at the beginning"});
}

TEST_F(TrainApp, LogLevelsHoldForProgressToo) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const auto output = [&](std::vector<std::string> words, const char* level) {
    words.insert(words.end(), {"--log-level", level});
    const Outcome outcome = Program(directory_, words, {{"HOME", directory_.string()}}).wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.output;
  };
  const std::vector<std::string> train = {"dsf_train", "params.yaml", "--resume", "--set"};
  const auto epochs = [&](const char* count) {
    std::vector<std::string> words = train;
    words.push_back(std::string("num_epochs=") + count);
    return words;
  };
  EXPECT_EQ(output(epochs("3"), "error"), "");
  EXPECT_EQ(output(epochs("4"), "warning"), "");
  EXPECT_NE(output(epochs("5"), "info").find("epoch    5"), std::string::npos);
  const std::vector<std::string> infer = {"dsf_infer", "runs/tiny", "--duration", "0.2"};
  EXPECT_EQ(output(infer, "error"), "");
  EXPECT_TRUE(output(infer, "warning").starts_with("no sound: "));
}

TEST_F(TrainApp, ATerminalThatClosesEndsARunWithItsSummary) {
  for (const int signal : {SIGHUP, SIGTERM}) {
    fs::remove_all(directory_ / "runs");
    Program program(directory_, {"dsf_train", "params.yaml", "--set", "num_epochs=1000000"});
    for (int i = 0; i < 3000 && !fs::exists(directory_ / "runs/tiny/best.safetensors"); ++i) {
      usleep(10'000);
    }
    program.interrupt(signal);
    const Outcome outcome = program.wait();
    EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
    EXPECT_NE(outcome.output.find("--resume goes on from"), std::string::npos) << outcome.output;
  }
}

TEST_F(TrainApp, WhatCannotBeginLeavesNoFolder) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  expect_refusal({"dsf_train", "params.yaml", "--set", "experiment=other", "--from", "runs/tiny",
                  "--set", "model_size=32"},
                 2, {"24", "32"});
  EXPECT_FALSE(fs::exists(directory_ / "runs/other"));
  expect_refusal({"dsf_train", "runs/tiny", "--resume"}, 2, {"runs/tiny/params.yaml"});
  expect_refusal({"dsf_train", "train"}, 2, {"train: a folder, expected a YAML file"});
}

}  // namespace
}  // namespace dsf
