#include "engine/logging/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr auto kBarPeriod = std::chrono::milliseconds(100);
constexpr auto kLinePeriod = std::chrono::seconds(5);

double share_done(const ProgressState& state) {
  if (state.total <= 0) return 0;
  return std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
}

/// A whole number with its thousands set apart: 12,345.
std::string group_digits(double number) {
  std::string digits = fmt::format("{:.0f}", std::clamp(number, 0.0, 1e15));
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string format_figures(const ProgressState& state) {
  const auto frames = static_cast<double>(std::max<int64_t>(0, state.total - state.done));
  const double left = std::min(frames / state.frames_per_second, state.most_seconds);
  // Rounded down: 100 % is said when everything is done.
  return fmt::format("{:.0f} %  {} frames/s  {} left", std::floor(100 * share_done(state)),
                     group_digits(state.frames_per_second), format_duration(left));
}

/// The first `count` characters of UTF-8.
std::string_view first_characters(std::string_view text, size_t count) {
  size_t end = 0;
  for (; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (begins && count-- == 0) break;
  }
  return text.substr(0, end);
}

int terminal_columns(std::FILE* stream) {
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

/// What cannot be written is lost: a full disk below the log must not end the work it tells of.
void print(std::FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
}

}  // namespace

std::string format_duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e9)) return "?";
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02d}:{:02d}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02d}", minutes, whole % 60);
}

std::string format_progress_line(const ProgressState& state) {
  return fmt::format("{}  {}", printable(state.status), format_figures(state));
}

std::string format_progress_bar(const ProgressState& state, int columns) {
  constexpr int kWidest = 30;
  const std::string figures = format_figures(state);
  std::string line = printable(state.status);
  const auto used =
      static_cast<int>(count_characters(line) + figures.size()) + 6;  // " […]", spaces
  const int width = std::min(kWidest, columns - used);
  if (width >= 5) {
    const int filled = static_cast<int>(share_done(state) * width);
    line += fmt::format("  [{:#<{}}{:-<{}}]", "", filled, "", width - filled);
  }
  line += "  " + figures;
  return std::string(first_characters(line, static_cast<size_t>(std::max(columns, 0))));
}

Progress::Progress(Style style, int64_t total, int64_t done, std::FILE* stream,
                   Clock::time_point now)
    : style_(style), stream_(stream), total_(total), first_(done), begin_(now), shown_(now) {}

Progress::~Progress() {
  if (!bar_.empty()) std::fputc('\n', stream_);
}

Progress::Style Progress::style_for(bool quiet, std::FILE* stream) {
  if (quiet) return Style::quiet;
  return isatty(fileno(stream)) ? Style::bar : Style::lines;
}

void Progress::update(int64_t done, std::string_view status, Clock::time_point now) {
  if (style_ == Style::quiet) return;
  const auto since = now - shown_;
  const bool bar = style_ == Style::bar;
  // The last state is shown in any case.
  if (done < total_ && since < (bar ? Clock::duration(kBarPeriod) : Clock::duration(kLinePeriod))) {
    return;
  }
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double speed = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0.0;
  const ProgressState state{done, total_, speed, status, std::max(0.0, seconds_before_ - seconds)};
  if (!bar) {
    print(stream_, format_progress_line(state) + "\n");
    return;
  }
  clear();
  bar_ = format_progress_bar(state, terminal_columns(stream_) - 1);  // a full line would wrap
  print(stream_, bar_);
  std::fflush(stream_);
}

void Progress::message(std::string_view line) {
  if (style_ == Style::quiet) return;
  clear();
  print(stream_, printable(line) + "\n" + bar_);
  std::fflush(stream_);
}

void Progress::hide() {
  clear();
  std::fflush(stream_);
  bar_.clear();
}

void Progress::clear() {
  if (!bar_.empty()) print(stream_, "\r\x1b[K");
}

}  // namespace dsf
