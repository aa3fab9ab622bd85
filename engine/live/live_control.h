#pragma once
// What a live stream is told while it runs: a value per class and parameter, set from any thread.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/live/control_line.h"

namespace dsf {

/// Where values are to go, and how fast. `set` may be called from any threads at any time: it
/// neither waits nor allocates. The stream follows in `advance`, in its own thread.
class LiveControl {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LiveControl(std::span<const float> begin);

  int64_t size() const { return std::ssize(now_); }
  /// Each of these moves evenly to its target over the next `frames` frames (0: with the next
  /// frame), and all of them begin in one frame. Of several commands for one value before a frame
  /// is drawn the last jump, and a glide behind it from there, count. `came`: when the command
  /// came, if its latency is to be measured.
  void set(std::span<const ControlLine::Value> values, int64_t frames,
           std::optional<Clock::time_point> came = {});

  // Of the stream's thread:

  /// The values of the next frame.
  std::span<const float> advance();
  /// When the first command came that was seen since the last call of this one.
  std::optional<Clock::time_point> take_seen();

 private:
  /// A command fits a machine word, so that it is seen whole or not at all.
  struct alignas(8) Command {
    float target;
    uint32_t frames;
  };
  static_assert(std::atomic<Command>::is_always_lock_free);

  /// The last command of no frames, kept from a glide that comes before it was seen.
  struct alignas(8) Jump {
    float target;
    uint32_t number;  // of them, so that a new one is told from one that was followed
  };
  static_assert(std::atomic<Jump>::is_always_lock_free);

  struct Value {
    std::atomic<Command> command;
    std::atomic<Jump> jump;
  };
  struct Seen {
    Command command;
    Jump jump;
  };

  struct Glide {
    Command command;     // that is followed
    uint32_t jumps = 0;  // that were followed
    int64_t left = 0;    // frames to go
  };

  bool read_commands();

  std::unique_ptr<Value[]> values_;
  // What is set together is seen together: nothing is taken while somebody sets, or has set since
  // the reading began.
  std::atomic<int32_t> setting_{0};  // calls of `set` under way
  std::atomic<uint64_t> version_{0};
  std::atomic<Clock::rep> unseen_{0};  // when the first command came that no advance saw; or 0
  Clock::rep seen_ = 0;                // the same of take_seen
  std::vector<Seen> read_;
  std::vector<Glide> glides_;
  std::vector<float> now_;
};

}  // namespace dsf
