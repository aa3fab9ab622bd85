#pragma once
// What a live stream is told while it runs: a value per class and parameter, set from any thread.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace dsf {

/// Where values are to go, and how fast. `set` may be called from any thread at any time: it
/// neither waits nor allocates. The stream follows in `advance`, in its own thread.
class LiveControl {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LiveControl(std::span<const float> begin);

  int64_t size() const { return std::ssize(now_); }
  /// Value `index` moves evenly to `target` over the next `frames` frames (0: with the next frame).
  void set(int64_t index, float target, int64_t frames);

  // Of the stream's thread:

  /// The values of the next frame.
  std::span<const float> advance();
  /// When the first command came that an advance since the last call of this one was the first to
  /// see.
  std::optional<Clock::time_point> take_seen();

 private:
  /// A command fits a machine word, so that it is seen whole or not at all.
  struct alignas(8) Command {
    float target;
    uint32_t frames;
  };
  static_assert(std::atomic<Command>::is_always_lock_free);

  struct Glide {
    Command command;  // that is followed
    int64_t left;     // frames to go
  };

  std::unique_ptr<std::atomic<Command>[]> commands_;
  std::atomic<Clock::rep> unseen_{0};  // when the first command came that no advance saw; or 0
  Clock::rep seen_ = 0;                // the same of take_seen
  std::vector<Glide> glides_;
  std::vector<float> now_;
};

}  // namespace dsf
