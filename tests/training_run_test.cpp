// Whole runs of a tiny model: what is kept, what is told, what is refused.
#include "engine/training/run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "engine/files/folder_lock.h"
#include "engine/training/checkpoint.h"
#include "engine/training/loss_history.h"
#include "engine/training/run_folder.h"
#include "kernels/common/checks.h"
#include "tests/program.h"
#include "tests/tiny_run.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::read_text;
using Options = std::vector<std::string>;

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

class TrainingRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    make_tiny_data(directory_ / "train", 5, 11);
    make_tiny_data(directory_ / "validate", 2, 12);
    write_tiny_config(directory_ / "params.yaml", "StreamingDACTransformer");
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path folder(const std::string& experiment) const { return directory_ / experiment; }
  fs::path best(const std::string& experiment) const {
    return folder(experiment) / kBestCheckpoint;
  }

  /// Trains and gives what was said last.
  std::string train(const std::string& experiment, Options settings, bool resume = false) {
    settings.push_back("experiment=" + experiment);
    settings.push_back("data_dir=" + (directory_ / "train").string());
    const bool validated = std::ranges::find(settings, kUnvalidated) == settings.end();
    if (validated) settings.push_back("validator_data_dir=" + (directory_ / "validate").string());
    const TrainingConfig config =
        read_training_config(directory_ / "params.yaml", settings, [](const std::string&) {});
    RunOptions options;
    options.runs_directory = directory_;
    options.seed = 3;
    options.resume = resume;
    options.progress = Progress::Style::quiet;
    said_.clear();
    const std::atomic<bool> stop{false};
    EXPECT_TRUE(run_training(
        Context{}, config, options, [&](const std::string& text) { said_.push_back(text); }, stop));
    return said_.back();
  }
  std::string error_of(const std::string& experiment, const Options& settings,
                       bool resume = false) {
    try {
      train(experiment, settings, resume);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  /// Whether TensorBoard's events of a run hold a tag.
  bool has_tag(const std::string& experiment, const std::string& tag) {
    for (const auto& entry : fs::directory_iterator(folder(experiment))) {
      const bool events = entry.path().filename().string().starts_with("events.out.tfevents");
      if (events && read_text(entry.path()).find(tag) != std::string::npos) return true;
    }
    return false;
  }

  std::vector<std::string> said_;  // by the latest run
  static constexpr const char* kUnvalidated = "validator_data_dir=null";
  const fs::path directory_ =
      fs::path(::testing::TempDir()) /
      fmt::format("dsf_run_{}_{}", ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                  static_cast<int>(getpid()));
};

// A run that memorises: its validation loss is lowest in the middle.
const Options kMemorises = {"num_epochs=30", "learning_rate=0.01", "checkpoint_interval=7"};

Options with(Options options, const Options& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

/// The evaluation of the lowest validation loss.
Evaluation lowest(const LossHistory& history) {
  return *std::ranges::min_element(
      history, {}, [](const Evaluation& one) { return one.validation_loss.value(); });
}

TEST_F(TrainingRunTest, KeepsTheBestCheckpointByValidationLoss) {
  const std::string summary = train("whole", kMemorises);
  const LossHistory history = read_loss_history(folder("whole") / "losses.csv", 1000);
  ASSERT_EQ(history.size(), 30U);
  const Evaluation expected = lowest(history);
  ASSERT_GT(expected.epoch, 2);
  ASSERT_LT(expected.epoch, 29);
  TrainedModel kept = read_model(best("whole"));
  EXPECT_EQ(kept.info.epoch, expected.epoch);
  EXPECT_EQ(kept.info.evaluation, expected);

  // Its weights are those of a run that ends there.
  train("short", with(kMemorises, {fmt::format("num_epochs={}", expected.epoch)}));
  TrainedModel ended = read_model(folder("short") / tiny_checkpoint(expected.epoch));
  EXPECT_EQ(kept.weights, ended.weights);
  EXPECT_FALSE(ended.info.evaluation);

  expect_contains(summary, "done: epoch 30 of 30");
  expect_contains(summary, fmt::format("epoch {}, training loss {:.4f}, validation loss {:.4f}; {}",
                                       expected.epoch, expected.training_loss,
                                       *expected.validation_loss, best("whole").string()));
  expect_contains(summary, tiny_checkpoint(30));
  expect_contains(summary, (folder("whole") / "losses.png").string());
  EXPECT_EQ(read_text(folder("whole") / "losses.png").substr(1, 3), "PNG");
  EXPECT_FALSE(has_tag("whole", "LearningRate"));
}

// A kill leaves the best checkpoint, the losses up to it or later, and the checkpoints before it.
TEST_F(TrainingRunTest, GoesOnFromABestCheckpointThatIsLaterThanTheLatest) {
  for (const std::string interval : {"checkpoint_interval=7", "checkpoint_interval=1"}) {
    const Options settings = with(kMemorises, {interval});
    train("whole", settings);
    const int64_t best_epoch = read_model(best("whole")).info.epoch;
    fs::copy(folder("whole"), folder("killed"));
    for (int64_t epoch = best_epoch; epoch <= 30; ++epoch) {
      fs::remove(folder("killed") / tiny_checkpoint(epoch));
    }
    expect_contains(error_of("killed", settings), "--resume");
    train("killed", settings, true);
    int checkpoints = 0;
    for (const auto& entry : fs::directory_iterator(folder("whole"))) {
      const fs::path name = entry.path().filename();
      if (name.extension() != ".safetensors" && name != "losses.csv") continue;
      ++checkpoints;
      EXPECT_TRUE(read_text(folder("killed") / name) == read_text(entry.path())) << name;
    }
    EXPECT_EQ(checkpoints, interval == "checkpoint_interval=1" ? 32 : 7);
    fs::remove_all(folder("whole"));
    fs::remove_all(folder("killed"));
  }
}

TEST_F(TrainingRunTest, ABestCheckpointAloneIsNotOverwrittenButGoneOnFrom) {
  train("alone", kMemorises);
  const std::string expected = read_text(folder("alone") / tiny_checkpoint(30));
  for (const int64_t epoch : {7, 14, 21, 28, 30}) {
    fs::remove(folder("alone") / tiny_checkpoint(epoch));
  }
  expect_contains(error_of("alone", kMemorises), "best.safetensors; give --resume");
  train("alone", kMemorises, true);
  EXPECT_TRUE(read_text(folder("alone") / tiny_checkpoint(30)) == expected);
}

TEST_F(TrainingRunTest, StopsEarlyAndStaysStopped) {
  const Options settings = with(kMemorises, {"early_stop_epochs=4", "num_epochs=100"});
  const std::string summary = train("early", settings);
  const LossHistory history = read_loss_history(folder("early") / "losses.csv", 1000);
  const Evaluation expected = lowest(history);
  EXPECT_EQ(history.back().epoch, expected.epoch + 4);
  EXPECT_LT(history.back().epoch, 100);
  EXPECT_EQ(latest_checkpoint(folder("early")),
            folder("early") / tiny_checkpoint(history.back().epoch));
  expect_contains(summary, fmt::format("stopped early: epoch {} of 100", history.back().epoch));

  const std::string again = train("early", settings, true);
  expect_contains(again, fmt::format("stopped early: epoch {} of 100", history.back().epoch));
  EXPECT_EQ(read_loss_history(folder("early") / "losses.csv", 1000), history);
  // Without the key it goes on.
  train("early", with(kMemorises, {fmt::format("num_epochs={}", history.back().epoch + 2)}), true);
  EXPECT_EQ(read_loss_history(folder("early") / "losses.csv", 1000).size(), history.size() + 2);
}

// Rates too high for this model: some runs meet a loss that is no number, others gradients whose
// squares Adam cannot hold. What they leave behind must be of use.
TEST_F(TrainingRunTest, ARunThatDivergesLeavesItsLossesAndOnlyCheckpointsThatCanBeResumed) {
  int failed = 0;
  for (const std::string rate : {"3", "10", "100", "1e15"}) {
    const std::string name = "rate" + rate;
    const Options settings = {"learning_rate=" + rate, "num_epochs=40"};
    const std::string error = error_of(name, settings);
    if (error == "no error") continue;
    ++failed;
    expect_contains(error, "training stops before this step is taken");
    EXPECT_EQ(error.find("-nan"), std::string::npos) << error;
    const bool evaluated = error.find("(epoch 1)") == std::string::npos;
    ASSERT_EQ(fs::exists(folder(name) / "losses.csv"), evaluated) << name;
    EXPECT_EQ(fs::exists(folder(name) / "losses.png"), evaluated) << name;
    if (!evaluated) continue;
    const LossHistory history = read_loss_history(folder(name) / "losses.csv", 1000);
    for (const Evaluation& one : history) {
      const fs::path checkpoint = folder(name) / tiny_checkpoint(one.epoch);
      if (!fs::exists(checkpoint)) continue;
      EXPECT_TRUE(read_checkpoint(checkpoint, WithMoments::yes).has_moments()) << checkpoint;
    }
  }
  EXPECT_GE(failed, 2);
}

TEST_F(TrainingRunTest, AFolderIsTrainedIntoByOneProcess) {
  train("tiny", {"num_epochs=1"});
  {
    const FolderLock other(folder("tiny"));
    expect_contains(error_of("tiny", {"num_epochs=2"}, true), "another run is at work");
  }
  expect_contains(train("tiny", {"num_epochs=2"}, true), "epoch");
}

TEST_F(TrainingRunTest, ResumingSaysWhichSettingsAreOthers) {
  train("changed", {"num_epochs=1"});
  train("changed", {"num_epochs=2"}, true);
  for (const std::string& text : said_) EXPECT_EQ(text.find("others from"), std::string::npos);
  train("changed", {"num_epochs=3", "batch_size=1", "weight_decay=0.1"}, true);
  ASSERT_GE(said_.size(), 2U);
  expect_contains(said_[1], "batch_size is 1, was 3");
  expect_contains(said_[1], "weight_decay is 0.1, was absent");
  EXPECT_EQ(said_[1].find("num_epochs"), std::string::npos) << said_[1];
  train("changed", {"num_epochs=4", "batch_size=1"}, true);
  expect_contains(said_[1], "weight_decay is absent, was 0.1");
}

// The evaluation after a last epoch is not one of a longer run, unless ErrorLogRate has it there.
TEST_F(TrainingRunTest, ResumingSaysWhereALongerRunWouldNotHaveEvaluated) {
  const auto told = [&](const std::string& name, const std::string& epochs) {
    train(name, {"num_epochs=" + epochs, "ErrorLogRate=2"});
    EXPECT_EQ(read_loss_history(folder(name) / "losses.csv", 9).back().epoch, std::stoll(epochs));
    train(name, {"num_epochs=6", "ErrorLogRate=2"}, true);
    return said_.at(1).find("num_epochs is 6, was " + epochs) != std::string::npos;
  };
  EXPECT_TRUE(told("odd", "3"));
  EXPECT_FALSE(told("even", "4"));
}

TEST_F(TrainingRunTest, ResumingSaysThatACosineHasAnotherLength) {
  const Options cosine = {"lr_schedule=cosine"};
  train("cosine", with(cosine, {"num_epochs=1"}));
  train("cosine", with(cosine, {"num_epochs=2"}), true);
  ASSERT_GE(said_.size(), 2U);
  expect_contains(said_[1], "its settings are others from here on: num_epochs is 2, was 1");
}

TEST_F(TrainingRunTest, WithoutValidationThereIsNoBest) {
  const std::string summary = train("none", {kUnvalidated});
  expect_contains(summary, "best    none");
  EXPECT_FALSE(fs::exists(best("none")));
  EXPECT_EQ(read_text(folder("none") / "losses.csv").substr(0, 40),
            "epoch,training_loss,validation_loss\n1,4.");
  EXPECT_TRUE(fs::exists(folder("none") / "losses.png"));
}

TEST_F(TrainingRunTest, ARunWithEveryOptionalKeyResumesToTheSameBytes) {
  const Options settings =
      with(kMemorises,
           {"weight_decay=0.1", "warmup_steps=5", "lr_schedule=cosine", "min_learning_rate=0.0001",
            "gradient_clip_norm=0.5", "accumulate_batches=2", "batch_size=2", "codebook_delay=1"});
  train("whole", settings);
  EXPECT_TRUE(has_tag("whole", "LearningRate"));
  fs::copy(folder("whole"), folder("killed"));
  for (const int64_t epoch : {14, 21, 28, 30}) {
    fs::remove(folder("killed") / tiny_checkpoint(epoch));
  }
  train("killed", settings, true);
  for (const std::string& name : {tiny_checkpoint(30), std::string(kBestCheckpoint)}) {
    EXPECT_TRUE(read_text(folder("killed") / name) == read_text(folder("whole") / name)) << name;
  }
  // Every key has a say in what is learned.
  for (const char* key : {"weight_decay", "warmup_steps", "lr_schedule", "gradient_clip_norm",
                          "accumulate_batches", "codebook_delay"}) {
    Options without = with(settings, {std::string(key) + "=null"});
    if (key == std::string("lr_schedule")) without.push_back("min_learning_rate=null");
    train(key, without);
    EXPECT_NE(read_model(folder(key) / tiny_checkpoint(30)).weights,
              read_model(folder("whole") / tiny_checkpoint(30)).weights)
        << key;
  }
}

TEST_F(TrainingRunTest, RefusesABrokenHistory) {
  train("broken", {"num_epochs=2"});
  std::ofstream(folder("broken") / "losses.csv", std::ios::app) << "three,4,5\n";
  expect_contains(error_of("broken", {"num_epochs=3"}, true),
                  "losses.csv:4: found 'three,4,5', expected an epoch after 2");
  // Without the file the run goes on; only the curve's past is gone.
  fs::remove(folder("broken") / "losses.csv");
  train("broken", {"num_epochs=3"}, true);
  const LossHistory rest = read_loss_history(folder("broken") / "losses.csv", 1000);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].epoch, 3);
}

// With one step in an epoch the loss is looked at only before the step that breaks the weights.
TEST_F(TrainingRunTest, WeightsThatAStepBrokeDoNotBecomeACheckpoint) {
  const Options settings = {"num_epochs=4", "learning_rate=1e38", "batch_size=5"};
  const std::string validated = error_of("broken", settings);
  expect_contains(validated, "step 1 (epoch 1): after it the validation loss is ");
  expect_contains(validated, "no checkpoint was written yet");
  const std::string unvalidated = error_of("broken", with(settings, {kUnvalidated}));
  expect_contains(unvalidated, "step 1 (epoch 1): after it the training loss is ");
  EXPECT_TRUE(latest_checkpoint(folder("broken")).empty());
  EXPECT_FALSE(fs::exists(best("broken")));

  train("good", {"num_epochs=1", "batch_size=5"});
  const std::string kept = read_text(best("good"));
  expect_contains(error_of("good", settings, true),
                  "the last good checkpoint is " + (folder("good") / tiny_checkpoint(1)).string());
  EXPECT_TRUE(read_text(best("good")) == kept);
}

TEST_F(TrainingRunTest, ChoosesTheCheckpointToGenerateFrom) {
  train("run", {"num_epochs=3"});
  const fs::path run = folder("run"), latest = run / tiny_checkpoint(3);
  EXPECT_EQ(choose_checkpoint(run, ""), best("run"));
  EXPECT_EQ(choose_checkpoint(run, "best"), best("run"));
  EXPECT_EQ(choose_checkpoint(run, "latest"), latest);
  EXPECT_EQ(choose_checkpoint(run, tiny_checkpoint(2)), run / tiny_checkpoint(2));
  EXPECT_EQ(choose_checkpoint(run, latest.string()), latest);
  EXPECT_EQ(choose_checkpoint(latest, ""), latest);
  EXPECT_THROW(choose_checkpoint(latest, "best"), UsageError);
  EXPECT_THROW(choose_checkpoint(run, "other"), Error);
  EXPECT_THROW(choose_checkpoint(folder("absent"), ""), Error);
  fs::remove(best("run"));
  EXPECT_EQ(choose_checkpoint(run, ""), latest);
  EXPECT_THROW(choose_checkpoint(run, "best"), Error);
}

}  // namespace
}  // namespace dsf
