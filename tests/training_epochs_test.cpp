// The course of a run on made-up losses: what is best, when it saves, when it stops.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/training/epochs.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// A run whose validation loss after epoch e is curve[e − 1]; it writes down what happens.
class MadeUpRun {
 public:
  MadeUpRun(EpochSchedule schedule, std::vector<float> curve)
      : schedule_(schedule), curve_(std::move(curve)) {
    schedule_.num_epochs = static_cast<int64_t>(curve_.size());
  }
  /// Stops before epoch `interrupt`, if it gets there.
  RunEnd run(EpochState& state, int64_t interrupt = 1000) {
    EpochActions actions;
    actions.train = [=](int64_t epoch) -> std::optional<float> {
      if (epoch == interrupt) return std::nullopt;
      return static_cast<float>(epoch) / 2;
    };
    actions.validate = [this](int64_t epoch) -> std::optional<float> {
      const float loss = curve_[static_cast<size_t>(epoch - 1)];
      if (std::isnan(loss)) return std::nullopt;
      return loss;
    };
    actions.evaluated = [this](const Evaluation& evaluation, bool best) {
      log_ += fmt::format("e{}{} ", evaluation.epoch, best ? "*" : "");
    };
    actions.checkpoint = [&](int64_t epoch) {
      EXPECT_EQ(epoch, state.finished);
      log_ += fmt::format("c{} ", epoch);
    };
    actions.time_is_over = [&] { return state.finished >= over_; };
    return run_epochs(schedule_, actions, state);
  }
  /// The time is over in this epoch.
  void end_after(int64_t epoch) { over_ = epoch; }
  RunEnd run() {
    EpochState state;
    return run(state);
  }
  const std::string& log() const { return log_; }

 private:
  EpochSchedule schedule_;
  std::vector<float> curve_;
  int64_t over_ = 1000;
  std::string log_;
};

EpochSchedule every(int64_t evaluation, int64_t checkpoint, int64_t early_stop = 0) {
  return {0, evaluation, checkpoint, early_stop};
}

TEST(Epochs, BestIsTheEarliestOfTheLowest) {
  MadeUpRun run(every(1, 4), {5, 4, 4, 3, 6, 3, 2, 9});
  EpochState state;
  EXPECT_EQ(run.run(state), RunEnd::all_epochs);
  EXPECT_EQ(run.log(), "e1* e2* e3 e4* c4 e5 e6 e7* e8 c8 ");
  EXPECT_EQ(state.best, (Evaluation{7, 3.5F, 2.0F}));
  EXPECT_EQ(state.finished, 8);
}

TEST(Epochs, TheLastEpochIsEvaluatedAndSaved) {
  MadeUpRun run(every(2, 4), {1, 1, 1, 1, 1});
  EXPECT_EQ(run.run(), RunEnd::all_epochs);
  EXPECT_EQ(run.log(), "e2* e4 c4 e5 c5 ");
}

TEST(Epochs, WithoutEarlyStopARunGoesToItsEnd) {
  std::vector<float> rising(50);
  for (size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<float>(i);
  MadeUpRun run(every(1, 50), rising);
  EXPECT_EQ(run.run(), RunEnd::all_epochs);
}

TEST(Epochs, StopsWhereNothingImprovedForSoManyEpochs) {
  MadeUpRun run(every(1, 100, 3), {5, 4, 4.5F, 4, 3.9F, 4, 4, 4, 1, 1});
  EpochState state;
  EXPECT_EQ(run.run(state), RunEnd::early_stop);
  EXPECT_EQ(run.log(), "e1* e2* e3 e4 e5* e6 e7 e8 c8 ");  // 9 would have been better, by far
  EXPECT_EQ(state.best->epoch, 5);
  EXPECT_EQ(state.finished, 8);
}

TEST(Epochs, OnlyAnEvaluationCanStop) {
  // Evaluated at 4, 8, 12: by 9 there are five epochs without improvement, but nobody looked.
  MadeUpRun run(every(4, 3, 5), {9, 9, 9, 2, 9, 9, 9, 3, 9, 9, 9, 2, 9, 9, 9, 1});
  EXPECT_EQ(run.run(), RunEnd::early_stop);
  EXPECT_EQ(run.log(), "c3 e4* c6 e8 c9 e12 c12 ");
}

TEST(Epochs, WithoutValidationNothingIsBestAndNothingStops) {
  const float none = std::nanf("");
  MadeUpRun run(every(1, 2, 1), {none, none, none});
  EpochState state;
  EXPECT_EQ(run.run(state), RunEnd::all_epochs);
  EXPECT_EQ(run.log(), "e1 e2 c2 e3 c3 ");
  EXPECT_FALSE(state.best);
}

// Whatever the epoch in which it is interrupted: with the state it had, it goes on as if nothing
// had happened, early stop included.
TEST(Epochs, AResumedRunGoesOnAsAnUninterruptedOne) {
  const std::vector<float> curve = {5, 4, 4.5F, 3.8F, 3, 4, 4, 4, 4, 3.5F, 5, 5, 5, 5, 5, 5, 1};
  const EpochSchedule schedule = every(2, 3, 6);
  MadeUpRun whole(schedule, curve);
  EpochState expected;
  ASSERT_EQ(whole.run(expected), RunEnd::early_stop);
  ASSERT_EQ(expected.finished, 16);
  for (int64_t interrupt = 1; interrupt <= expected.finished; ++interrupt) {
    MadeUpRun run(schedule, curve);
    EpochState state;
    ASSERT_EQ(run.run(state, interrupt), RunEnd::interrupted);
    EXPECT_EQ(state.finished, interrupt - 1);
    EXPECT_EQ(run.run(state), RunEnd::early_stop);
    EXPECT_EQ(run.log(), whole.log()) << interrupt;
    EXPECT_EQ(state.best, expected.best);
  }
}

TEST(Epochs, WhereTheTimeIsOverARunSavesAndEnds) {
  const std::vector<float> curve = {5, 4, 3, 2, 1, 1, 1};
  MadeUpRun run(every(2, 3), curve);
  run.end_after(4);
  EpochState state;
  EXPECT_EQ(run.run(state), RunEnd::time_over);
  EXPECT_EQ(state.finished, 4);
  EXPECT_EQ(run.log(), "e2* c3 e4* c4 ");
  run.end_after(6);  // a checkpoint is due there anyway
  EXPECT_EQ(run.run(state), RunEnd::time_over);
  EXPECT_EQ(run.log(), "e2* c3 e4* c4 e6* c6 ");
  run.end_after(7);
  EXPECT_EQ(run.run(state), RunEnd::all_epochs);
  EXPECT_EQ(run.log(), "e2* c3 e4* c4 e6* c6 e7 c7 ");
}

TEST(Epochs, ARunThatStoppedEarlyStaysStopped) {
  MadeUpRun run(every(1, 10, 2), {1, 2, 3, 4, 5});
  EpochState state;
  EXPECT_EQ(run.run(state), RunEnd::early_stop);
  const std::string log = run.log();
  EXPECT_EQ(run.run(state), RunEnd::early_stop);
  EXPECT_EQ(run.log(), log);
}

}  // namespace
}  // namespace dsf
