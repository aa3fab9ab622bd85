// dsf_train's beginnings and ends: where it resumes, what it leaves, what it says.
#include <csignal>
#include <string>

#include "engine/files/folder_lock.h"
#include "engine/training/checkpoint.h"
#include "tests/tiny_app.h"
#include "tests/without_bf16.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::blocks_interrupts;
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
    const Outcome outcome = run(words);
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

// A handler that interrupted oneDNN's sgemm with one thread destroyed the heap in 8 of 25 runs.
TEST_F(TrainApp, CtrlCInterruptsNoThreadThatComputes) {
  Program program(directory_, {"dsf_train", "params.yaml", "--set", "num_epochs=1000000"},
                  {{"OMP_NUM_THREADS", "4"}});
  const fs::path best = directory_ / "runs/tiny/best.safetensors";
  for (int i = 0; i < 3000 && !fs::exists(best); ++i) usleep(10'000);
  ASSERT_TRUE(fs::exists(best));
  const fs::path process = fs::path("/proc") / std::to_string(program.id());
  EXPECT_TRUE(blocks_interrupts(process)) << "the first thread";
  int threads = 0, taking = 0;
  for (const auto& thread : fs::directory_iterator(process / "task")) {
    ++threads;
    taking += blocks_interrupts(thread.path()) ? 0 : 1;
  }
  EXPECT_GE(threads, 3);
  EXPECT_LE(taking, 1) << "but for the one that waits for it";
  program.interrupt();
  EXPECT_EQ(program.wait().exit_code, 130);
}

// While a step is long, the first only asks for its end.
TEST_F(TrainApp, ASecondSignalEndsARunAtOnce) {
  fs::create_directories(directory_ / "long");
  write_dac(directory_ / "long/fire--rate-00.50--x.dac", make_dac(3, 60'001));
  for (const int second : {SIGINT, SIGTERM}) {
    int exit_code = 0;
    for (int i = 0; i < 5 && exit_code != -second; ++i) {  // the step may just have ended
      fs::remove_all(directory_ / "runs");
      Program program(directory_,
                      {"dsf_train", "params.yaml", "--set", "data_dir=long", "--set",
                       "validator_data_dir=null", "--set", "Tt=60000", "--set", "num_epochs=1000"});
      for (int k = 0; k < 3000 && !fs::exists(directory_ / "runs/tiny/params.yaml"); ++k) {
        usleep(10'000);
      }
      usleep(100'000);
      program.interrupt();
      usleep(20'000);
      program.interrupt(second);
      exit_code = program.wait().exit_code;
    }
    EXPECT_EQ(exit_code, -second);
  }
}

TEST_F(TrainApp, ADryRunResumesFromWhatTheRunWould) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const fs::path folder = directory_ / "runs/tiny";
  const auto expect_both = [&](int code, const std::string& part) {
    // The dry run first: it changes nothing.
    std::vector<std::string> words = {"dsf_train", "params.yaml", "--resume", "--dry-run"};
    expect_refusal(words, code, {part});
    words.pop_back();
    expect_refusal(words, code, {part});
  };
  fs::remove(folder / tiny_checkpoint(1));
  fs::rename(folder / tiny_checkpoint(2), directory_ / "kept");
  expect_both(0, " from runs/tiny/best.safetensors");  // the only one
  std::ofstream(folder / "losses.csv", std::ios::app) << "three,4,5\n";
  expect_both(1, "losses.csv:4: found 'three,4,5'");
  fs::remove(folder / "losses.csv");
  {
    const FolderLock other(folder);
    expect_refusal({"dsf_train", "params.yaml", "--resume", "--dry-run"}, 1,
                   {"another run is at work"});
  }
  std::ofstream(folder / "best.safetensors") << "damaged";
  expect_both(1, "best.safetensors: ");
}

TEST_F(TrainApp, ADryRunLooksAtTheRunWhereThereAreNoDataAndNoMemory) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const std::vector<std::string> dry = {"dsf_train", "params.yaml", "--dry-run"};
  const auto expect = [&](std::vector<std::string> more, const std::vector<std::string>& parts) {
    more.insert(more.begin(), dry.begin(), dry.end());
    expect_refusal(more, 1, parts);
  };
  // 20 TB: to take a part of so much could end other programs.
  const std::vector<std::string> large = {"--set", "batch_size=1000000", "--set",
                                          "num_layers=1000"};
  std::vector<std::string> from = {"--set", "data_dir=absent", "--from", "nowhere.pth"};
  expect(from, {"faults:      3", "absent: cannot read this folder", "runs/tiny already holds",
                "nowhere.pth: no such"});
  from = large;
  from.insert(from.end(), {"--from", "nowhere.pth"});
  expect(from, {"faults:      3", "the model in training needs ", "runs/tiny already holds",
                "nowhere.pth: no such"});
  expect({"--set", "data_dir=absent", "--set", "model_size=32", "--set", "experiment=new", "--from",
          "runs/tiny"},
         {"faults:      2", "embed_size is 24 there and 32"});
  std::vector<std::string> resumed = large;
  resumed.emplace_back("--resume");
  expect(resumed, {"faults:      2", "num_layers is 2 there and 1000"});
  // What only the data tell is not compared: no other fault follows.
  expect({"--set", "data_dir=absent", "--resume"}, {"faults:      1", "absent"});
  expect({"--set", "data_frames=absent.csv", "--set", "validator_data_dir=null", "--set",
          "experiment=new", "--from", "runs/tiny"},
         {"faults:      1", "absent.csv"});
}

TEST_F(TrainApp, AFileInPlaceOfTheFolderIsAFaultAmongOthers) {
  fs::create_directories(directory_ / "runs");
  std::ofstream(directory_ / "runs/tiny") << "a file";
  const std::string fault = "runs/tiny: cannot read this folder: Not a directory";
  expect_refusal({"dsf_train", "params.yaml", "--dry-run", "--from", "nowhere.pth"}, 1,
                 {"faults:      2", fault, "nowhere.pth: no such"});
  expect_refusal({"dsf_train", "params.yaml"}, 1, {fault});
}

TEST_F(TrainApp, LinesOfADryRunAreWrittenAtOnce) {
  Program program(directory_,
                  {"dsf_train", "params.yaml", "--dry-run", "--set", "num_layers=1000"});
  std::string said;
  for (int i = 0; i < 20'000 && said.find("memory:") == std::string::npos; ++i) {
    usleep(1000);
    said = testing::read_text(directory_ / "program.log");
  }
  program.kill_now();  // as the system does where there is less memory than it said
  program.wait();
  EXPECT_NE(said.find("memory:"), std::string::npos) << said;
  EXPECT_EQ(said.find("faults:"), std::string::npos) << "all came at the end:\n" << said;
}

TEST_F(TrainApp, NamesInLinesDoNotSteerATerminal) {
  const std::string escape = "\x1b[2J";
  const std::vector<std::string> words = {"dsf_train", "params.yaml", "--runs-dir", "r" + escape};
  const Outcome trained = run(words);
  EXPECT_EQ(trained.exit_code, 0);
  EXPECT_EQ(trained.output.find('\x1b'), std::string::npos) << trained.output;
  EXPECT_NE(trained.output.find("r\\x1b[2J/tiny/best.safetensors\n"), std::string::npos)
      << trained.output;
  std::ofstream(directory_ / ("train/fire--rate-00.50--" + escape + ".dac")) << "none";
  for (const char* word : {"--dry-run", "--quiet"}) {
    const Outcome refused = run({"dsf_train", "params.yaml", word});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_EQ(refused.output.find('\x1b'), std::string::npos) << refused.output;
    EXPECT_NE(refused.output.find("00.50--\\x1b[2J.dac: "), std::string::npos) << refused.output;
  }
}

TEST_F(TrainApp, UpstreamsRunsAreNamedAndNotTrainedInto) {
  const fs::path folder = directory_ / "runs/tiny";
  write_tiny_config(directory_ / "params.yaml", "RopeCondDACTransformer");
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  for (const auto& [epoch, name] :
       {std::pair{1, "upstream_chkpt_0001.pth"}, {2, "a_chkpt_10.pth"}}) {
    const fs::path made = directory_ / "made.pth";
    const Outcome outcome =
        run({"dsf_convert", (folder / tiny_checkpoint(epoch)).string(), "made.pth"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    fs::rename(made, folder / name);
  }
  // Beside checkpoints of ours they do not count.
  expect_refusal({"dsf_train", "params.yaml", "--resume"}, 0, {"resuming"});
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path());
  }
  std::ofstream(folder / "params.yaml") << "upstream's";
  const std::string latest = "runs/tiny/a_chkpt_10.pth";
  expect_refusal({"dsf_infer", "runs/tiny"}, 1, {"give " + latest + " in its place"});
  for (const char* word : {"--resume", "--quiet", "--dry-run"}) {
    const int code = word == std::string("--dry-run") ? 1 : 2;
    expect_refusal({"dsf_train", "params.yaml", word}, code,
                   {"a_chkpt_10.pth", "--set experiment=NAME", "--from " + latest});
  }
  EXPECT_EQ(testing::read_text(folder / "params.yaml"), "upstream's");
  expect_refusal({"dsf_train", "params.yaml", "--set", "experiment=new", "--from", latest}, 0,
                 {"starting from " + latest});
}

/// Of the best epoch.
double validation_loss(const fs::path& run) {
  const TrainedModel best = read_model(run / "best.safetensors");
  return best.info.evaluation.value().validation_loss.value();
}

TEST_F(TrainApp, InBf16ItLearnsNearlyTheSame) {
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  expect_refusal({"dsf_train", "params.yaml", "--precision", "tf32", "--set", "experiment=x"}, 2,
                 {"--precision tf32", "fp32 or bf16"});
  const std::vector<std::string> words = {"dsf_train", "params.yaml", "--precision",
                                          "bf16",      "--set",       "experiment=rounded"};
  if (!onednn::has_bf16()) {
    expect_refusal(words, 2, {"--precision bf16", "available: fp32"});
    GTEST_SKIP() << testing::kWithoutBf16;
  }
  ASSERT_EQ(run(words).exit_code, 0);
  const double exact = validation_loss(directory_ / "runs/tiny");
  const double rounded = validation_loss(directory_ / "runs/rounded");
  EXPECT_NE(rounded, exact);
  EXPECT_NEAR(rounded, exact,
              0x1p-8 * exact);  // a rounding of each logit at most, and of few steps
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
