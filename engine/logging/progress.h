#pragma once
// How far a long run is: a bar that redraws itself on a terminal, plain lines elsewhere.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>

namespace dsf {

struct ProgressState {
  int64_t done = 0;   // frames, of the whole run
  int64_t total = 0;  // frames
  double frames_per_second = 0;
  std::string_view status;  // what else to show: epoch, loss, a file's name
  double most_seconds = std::numeric_limits<double>::infinity();  // that are left
};

/// "0:07", "12:34", "3:05:09"; "?" for what is not a finite, sensible time.
std::string format_duration(double seconds);

/// "epoch 3/200  loss 4.213  42 %  12,345 frames/s  1:23 left"
std::string format_progress_line(const ProgressState& state);

/// The same with a bar in it, cut to `columns` characters.
std::string format_progress_bar(const ProgressState& state, int columns);

class Progress {
 public:
  enum class Style {
    bar,    // one line, redrawn up to ten times a second
    lines,  // a line every five seconds at most
    quiet,  // nothing
  };
  using Clock = std::chrono::steady_clock;

  /// `done` frames of `total` need no work any more (a resumed run); the speed counts from there.
  Progress(Style style, int64_t total, int64_t done = 0, std::FILE* stream = stderr,
           Clock::time_point now = Clock::now());
  /// Ends the bar's line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// The run is to end after so many seconds, done or not: no more are said to be left.
  void end_after(double seconds, Clock::time_point now = Clock::now()) {
    seconds_before_ = std::chrono::duration<double>(now - begin_).count() + seconds;
  }

  /// Quiet on request, otherwise a bar if `stream` is a terminal and lines if not.
  static Style style_for(bool quiet, std::FILE* stream = stderr);

  /// `done` frames of the whole run are finished. Shows it if it is time to.
  void update(int64_t done, std::string_view status, Clock::time_point now = Clock::now());
  /// Prints a line of its own above the bar (not when quiet); control characters in it as \xNN.
  void message(std::string_view line);
  /// Takes the bar off the terminal until the next update: somebody else is about to print.
  void hide();

 private:
  void clear();

  Style style_;
  std::FILE* stream_;
  int64_t total_;
  int64_t first_;
  Clock::time_point begin_;
  Clock::time_point shown_;
  double seconds_before_ = std::numeric_limits<double>::infinity();  // the end, from begin_
  std::string bar_;  // what stands on the terminal's last line
};

}  // namespace dsf
