// What the progress display says, and how often.
#include "engine/logging/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

namespace dsf {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A stream whose text can be looked at.
class Capture {
 public:
  Capture() : stream_(open_memstream(&text_, &size_)) {}
  ~Capture() {
    std::fclose(stream_);
    std::free(text_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  std::FILE* stream() const { return stream_; }
  std::string text() const {
    std::fflush(stream_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* stream_;
};

TEST(ProgressFormat, Durations) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(6.2), "0:07");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3 * 3600 + 5 * 60 + 9), "3:05:09");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(INFINITY), "?");
  EXPECT_EQ(format_duration(NAN), "?");
}

TEST(ProgressFormat, Lines) {
  EXPECT_EQ(format_progress_line({420, 1000, 12345.4, "epoch 3/200  loss 4.213"}),
            "epoch 3/200  loss 4.213  42 %  12,345 frames/s  0:01 left");
  EXPECT_EQ(format_progress_line({999, 1000, 0.0, "x"}), "x  99 %  0 frames/s  ? left");
  EXPECT_EQ(format_progress_line({1000, 1000, 1e6, "x"}),
            "x  100 %  1,000,000 frames/s  0:00 left");
  EXPECT_EQ(format_progress_line({0, 0, 0.0, "x"}), "x  0 %  0 frames/s  ? left");
}

TEST(ProgressFormat, BarFitsItsColumns) {
  const ProgressState state{500, 1000, 100.0, "loss 4.2"};
  EXPECT_EQ(format_progress_bar(state, 200),
            "loss 4.2  [###############---------------]  50 %  100 frames/s  0:05 left");
  const std::string narrow = format_progress_bar(state, 60);
  EXPECT_EQ(narrow, "loss 4.2  [########---------]  50 %  100 frames/s  0:05 left");
  EXPECT_LE(narrow.size(), 60U);
  EXPECT_EQ(format_progress_bar(state, 20), "loss 4.2  50 %  100 ");
  EXPECT_EQ(format_progress_bar(state, 0), "");
}

TEST(ProgressFormat, CountsAndCutsCharacters) {
  const ProgressState state{500, 1000, 100.0, "Größe"};
  EXPECT_EQ(format_progress_bar(state, 58),
            "Größe  [#########---------]  50 %  100 frames/s  0:05 left");
  EXPECT_EQ(format_progress_bar(state, 4), "Größ");
  EXPECT_EQ(format_progress_bar(state, 3), "Grö");
  EXPECT_EQ(format_progress_bar(state, 2), "Gr");
}

TEST(ProgressFormat, ShowsControlCharacters) {
  const ProgressState state{500, 1000, 100.0, "a\x1b[2J\n"};
  EXPECT_EQ(format_progress_line(state), "a\\x1b[2J\\x0a  50 %  100 frames/s  0:05 left");
  EXPECT_EQ(format_progress_bar(state, 8), "a\\x1b[2J");
}

TEST(ProgressTest, LinesComeEveryFiveSecondsAndAtTheEnd) {
  const Capture capture;
  const Progress::Clock::time_point start{};
  Progress progress(Progress::Style::lines, 100, 0, capture.stream(), start);
  for (int second = 1; second <= 10; ++second) {
    progress.update(10 * second - 5, "x", start + seconds(second));
  }
  progress.update(100, "x", start + milliseconds(10001));
  EXPECT_EQ(capture.text(),
            "x  45 %  9 frames/s  0:07 left\n"
            "x  95 %  10 frames/s  0:01 left\n"
            "x  100 %  10 frames/s  0:00 left\n");
}

TEST(ProgressTest, SpeedOfAResumedRunCountsFromWhereItBegan) {
  const Capture capture;
  const Progress::Clock::time_point start{};
  Progress progress(Progress::Style::lines, 100, 50, capture.stream(), start);
  progress.update(60, "x", start + seconds(10));
  EXPECT_EQ(capture.text(), "x  60 %  1 frames/s  0:40 left\n");
}

TEST(ProgressTest, NoMoreTimeIsLeftThanTheRunHas) {
  const Capture capture;
  const Progress::Clock::time_point start{};
  Progress progress(Progress::Style::lines, 1000, 0, capture.stream(), start);
  progress.end_after(20, start);
  for (const int second : {10, 18, 30}) progress.update(second, "x", start + seconds(second));
  EXPECT_EQ(capture.text(),
            "x  1 %  1 frames/s  0:10 left\n"
            "x  1 %  1 frames/s  0:02 left\n"
            "x  3 %  1 frames/s  0:00 left\n");
}

TEST(ProgressTest, BarIsRedrawnAtMostTenTimesASecond) {
  const Capture capture;
  const Progress::Clock::time_point start{};
  {
    Progress progress(Progress::Style::bar, 1000, 0, capture.stream(), start);
    for (int i = 1; i <= 99; ++i) progress.update(i, "x", start + milliseconds(i));
    EXPECT_EQ(capture.text(), "");
    progress.update(100, "x", start + milliseconds(100));
    progress.message("Epoch 1");
  }
  const std::string bar = "x  [###---------------------------]  10 %  1,000 frames/s  0:01 left";
  EXPECT_EQ(capture.text(), bar + "\r\x1b[KEpoch 1\n" + bar + "\n");
}

TEST(ProgressTest, QuietSaysNothing) {
  const Capture capture;
  const Progress::Clock::time_point start{};
  {
    Progress progress(Progress::Style::quiet, 10, 0, capture.stream(), start);
    progress.update(10, "x", start + seconds(100));
    progress.message("text");
  }
  EXPECT_EQ(capture.text(), "");
}

TEST(ProgressTest, StyleFollowsTheStream) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(Progress::style_for(false, file), Progress::Style::lines);
  EXPECT_EQ(Progress::style_for(true, file), Progress::Style::quiet);
  std::fclose(file);
}

}  // namespace
}  // namespace dsf
