// losses.csv: written, read back, refused; and the last words on a run.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "engine/training/loss_history.h"
#include "engine/training/summary.h"
#include "kernels/common/checks.h"
#include "tests/pixels.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

class LossHistoryTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove(file_); }
  void write(const std::string& text) { std::ofstream(file_, std::ios::binary) << text; }
  std::string error() {
    try {
      read_loss_history(file_, 100);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  const fs::path file_ =
      fs::path(::testing::TempDir()) /
      fmt::format("dsf_{}.csv", ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(LossHistoryTest, ReadsBackWhatItWrote) {
  const LossHistory history = {{1, 6.9314718F, 7.0F},
                               {5, 0.1F, std::nullopt},
                               {1'000'000, 1e-30F, std::numeric_limits<float>::max()}};
  write_loss_history(file_, history);
  std::ifstream stream(file_);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_EQ(text,
            "epoch,training_loss,validation_loss\n1,6.931472,7\n5,0.1,\n"
            "1000000,1e-30,3.4028235e+38\n");
  EXPECT_EQ(read_loss_history(file_, 1'000'000), history);
  EXPECT_EQ(read_loss_history(file_, 999'999).size(), 2U);
  EXPECT_TRUE(read_loss_history(file_, 0).empty());
  write_loss_history(file_, {});
  EXPECT_TRUE(read_loss_history(file_, 10).empty());
}

TEST_F(LossHistoryTest, TakesLinesThatAnEditorEnded) {
  write("epoch,training_loss,validation_loss\r\n1,2,3\r\n2,2,");
  EXPECT_EQ(read_loss_history(file_, 9), (LossHistory{{1, 2, 3}, {2, 2, std::nullopt}}));
}

TEST_F(LossHistoryTest, RefusesAnythingElse) {
  const std::string header = "epoch,training_loss,validation_loss\n1,3,3\n";
  write("");
  EXPECT_EQ(error(), file_.string() +
                         ":1: found '', expected 'epoch,training_loss,"
                         "validation_loss'");
  write("epoch;training_loss;validation_loss\n");
  EXPECT_NE(error().find(":1: found 'epoch;"), std::string::npos) << error();
  for (const char* line : {"2,3", "2,3,4,5", "two,3,4", "2,x,4", "2,3,x", "2,nan,4", "2,3,inf",
                           "1,3,4", "0,3,4", "-2,3,4", "2, 3,4", "", ",,", "2,,4", "2.0,3,4",
                           "99999999999999999999,3,4", "2,3,1e99", "\x01\x02"}) {
    write(header + line + "\n3,3,3\n");
    EXPECT_NE(error().find(file_.string() + ":3: found '"), std::string::npos)
        << line << ": " << error();
    EXPECT_NE(error().find("expected an epoch after 1 and its losses"), std::string::npos);
  }
  // Later lines count too, though the resumed run repeats their epochs.
  write(header + "200,1,1\nx");
  EXPECT_NE(error().find(":4: found 'x'"), std::string::npos) << error();
  fs::remove(file_);
  EXPECT_NE(error().find(file_.string()), std::string::npos);
}

RunSummary summary_of(RunEnd end) {
  RunSummary summary;
  summary.end = end;
  summary.schedule = {200, 5, 10, 0};
  summary.state = {140, Evaluation{120, 1.23456F, 2.0F}};
  summary.seconds = 61.5;
  summary.best = "runs/x/best.safetensors";
  summary.saved = "runs/x/out_chkpt_0140.safetensors";
  summary.losses = "runs/x/losses.csv";
  summary.picture = "runs/x/losses.png";
  return summary;
}

TEST(RunSummaryTest, NamesTheBestEpochItsLossesTheTimeAndThePicture) {
  const std::string files =
      "\n  best    epoch 120, training loss 1.2346, validation loss 2.0000; "
      "runs/x/best.safetensors"
      "\n  latest  runs/x/out_chkpt_0140.safetensors"
      "\n  losses  runs/x/losses.png, runs/x/losses.csv";
  EXPECT_EQ(describe_run(summary_of(RunEnd::all_epochs)), "done: epoch 140 of 200, 1:02" + files);
  EXPECT_EQ(describe_run(summary_of(RunEnd::early_stop)),
            "stopped early: epoch 140 of 200, 1:02; the validation loss had not improved for 20 "
            "epochs" +
                files);
  EXPECT_EQ(describe_run(summary_of(RunEnd::time_over)),
            "the time is over: epoch 140 of 200, 1:02; --resume goes on" + files);
  EXPECT_EQ(describe_run(summary_of(RunEnd::interrupted)),
            "stopped: epoch 140 of 200, 1:02; --resume goes on from "
            "runs/x/out_chkpt_0140.safetensors" +
                files);
}

TEST(RunSummaryTest, SaysWhatThereIsNot) {
  RunSummary summary;
  summary.end = RunEnd::interrupted;
  summary.schedule = {200, 50, 100, 0};
  EXPECT_EQ(describe_run(summary),
            "stopped: epoch 0 of 200, 0:00; nothing was saved yet"
            "\n  best    none: there is no validation data"
            "\n  losses  none: evaluated every 50 epochs (ErrorLogRate)");
  summary.validates = true;
  const std::string text = describe_run(summary);
  EXPECT_NE(text.find("best    none: not evaluated yet (every 50 epochs)"), std::string::npos)
      << text;
}

TEST(LossPictureTest, DrawsBothCurvesAndMarksTheBest) {
  LossHistory history;
  for (int64_t epoch = 1; epoch <= 100; ++epoch) {
    const auto x = static_cast<float>(epoch) / 100;
    history.push_back({epoch, 7 - 5 * x, 5 + (x - 0.4F) * (x - 0.4F)});
  }
  const EpochState state{100, history[39]};
  const LossPicture picture = picture_of_run("title", history, state);
  ASSERT_EQ(picture.validation.size(), 100U);
  EXPECT_EQ(picture.best, std::pair(40.0, 5.0));
  const Pixels pixels(draw_losses(picture));
  EXPECT_EQ(pixels.width(), 1200);
  // The training loss falls from the panel's top to its bottom, the other stays in the upper half.
  EXPECT_GT(pixels.count(line_color(0), 0.5, 0.9), 200);
  EXPECT_GT(pixels.count(line_color(1), 0.1, 0.5), 500);
  EXPECT_EQ(pixels.count(line_color(1), 0.5, 0.9), 0);

  LossPicture unmarked = picture;
  unmarked.best.reset();
  const Color mark = {0.2, 0.2, 0.2};
  EXPECT_GT(pixels.count(mark, 0.2, 0.8), Pixels(draw_losses(unmarked)).count(mark, 0.2, 0.8) + 50);
}

TEST(LossPictureTest, TakesFewAndManyAndEqualLosses) {
  const Pixels one(draw_losses(picture_of_run("one", {{1, 2, std::nullopt}}, {1, std::nullopt})));
  EXPECT_GT(one.count(line_color(0), 0.4, 0.6), 15) << "a single loss is a dot";
  EXPECT_EQ(one.count(line_color(1), 0, 1), 0);
  LossHistory many;
  for (int64_t epoch = 1; epoch <= 300'000; ++epoch) many.push_back({epoch, 2, 2});
  const Pixels flat(draw_losses(picture_of_run("many", many, {300'000, many[0]})));
  EXPECT_GT(flat.count(line_color(1), 0.4, 0.6), 800) << "a flat line across the panel";
  EXPECT_THROW(draw_losses(LossPicture{}), Error);
}

}  // namespace
}  // namespace dsf
