#pragma once
// Warnings about what comes from outside, a flood of which must not be one of the program's own.
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace dsf {

/// From any thread. Of more than kMostReports within a second the others are counted, which is said
/// before the first report of a later second, or at the end.
class Reports {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kMostReports = 10;

  explicit Reports(std::function<void(const std::string&)> say) : say_(std::move(say)) {}
  ~Reports() { count_left_out(); }
  Reports(const Reports&) = delete;
  Reports& operator=(const Reports&) = delete;

  void add(const std::string& text, Clock::time_point now = Clock::now()) {
    const std::scoped_lock lock(mutex_);
    if (now - begin_ >= std::chrono::seconds(1)) {
      begin_ = now;
      said_ = 0;
      count_left_out();
    }
    if (said_ < kMostReports) {
      ++said_;
      say_(text);
    } else {
      ++left_out_;
    }
  }

 private:
  void count_left_out() {
    const int64_t more = std::exchange(left_out_, 0);
    if (more > 0) say_(fmt::format("and {} more", more));
  }

  std::function<void(const std::string&)> say_;
  std::mutex mutex_;
  Clock::time_point begin_{};  // of the second
  int said_ = 0;
  int64_t left_out_ = 0;
};

}  // namespace dsf
