#pragma once
// A live stream with a thread of its own, which renders a little ahead of who plays it.
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "engine/live/live_renderer.h"
#include "engine/live/sample_ring.h"

namespace dsf {

/// Seconds from a command until the first sample that it may change is due.
struct ControlLatency {
  int64_t commands = 0;  // that were measured: of those within a chunk the first
  double sum = 0, worst = 0;

  void add(double seconds);
  double mean() const { return commands > 0 ? sum / static_cast<double>(commands) : 0; }
};

/// Seconds that are kept ready where nobody says otherwise: more than the 60 ms for which virtual
/// machines were seen to stand still (bench/results/live.md).
inline constexpr double kLiveBuffer = 0.1;

/// Renders from the first `process` or `pull` on.
class LiveStream {
 public:
  /// `ahead`: samples that are kept ready, at least a chunk's, and as many as were ever asked for
  /// at once and a chunk's besides (up to kLongestBlock). A command is heard that much later.
  LiveStream(std::unique_ptr<LiveRenderer> renderer, int64_t ahead);
  static constexpr int64_t kLongestBlock = 16'384;
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

  const LiveModel& model() const { return renderer_->model(); }
  /// From any thread.
  LiveControl& control() { return renderer_->control(); }

  /// The next samples, in the thread that plays them: neither allocates nor waits nor calls the
  /// system. What is not ready is silence, an underrun; how many are sound. It begins once all that
  /// is kept ready is there.
  int64_t process(std::span<float> samples);

  /// Waits until the next samples are there and gives them all, unless the rendering fails, which
  /// is thrown: for who renders into a file, not for a thread that plays. Where `process` was never
  /// called no chunk is rendered before its first sample is pulled, so that the same commands
  /// between the same pulls are the same sound.
  void pull(std::span<float> samples);

  /// Calls of `process`, but for those before the first sample, that found too few.
  int64_t underruns() const { return underruns_.load(std::memory_order_relaxed); }
  int64_t ahead() const { return ahead_.load(std::memory_order_relaxed); }
  /// What ended the rendering, or null.
  const std::string* error() const {
    return ended_.load(std::memory_order_acquire) ? &error_ : nullptr;
  }

  /// Ends the rendering; what is ready can still be played.
  void stop();
  // After `stop`:
  const RenderTimes& times() const { return renderer_->times(); }
  const ControlLatency& latency() const { return latency_; }

 private:
  void render(const std::stop_token& stop);
  /// Samples that are to be in the ring.
  int64_t wanted() const;
  /// Until so many are, or the rendering has ended.
  void wait_for(int64_t count);
  void notify_pull();
  double seconds(int64_t samples) const;

  std::unique_ptr<LiveRenderer> renderer_;
  std::atomic<int64_t> ahead_;
  SampleRing ring_;
  std::atomic<int64_t> underruns_{0};
  bool begun_ = false;  // of `process`
  std::atomic<bool> plays_{false};
  std::atomic<int64_t> pulled_{0};  // samples that a `pull` waits for
  ControlLatency latency_;
  std::string error_;
  std::atomic<bool> ended_{false};
  // Of `pull`, which may wake the thread and waits for it:
  std::mutex mutex_;
  std::condition_variable_any asked_, rendered_;
  std::jthread thread_;  // the last, so that it ends first
};

}  // namespace dsf
