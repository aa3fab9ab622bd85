#include "engine/live/live_stream.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

// Who plays must not wake the thread that renders, which would call the system: it looks for
// itself, when the samples that are more than wanted will have been played, or sooner.
constexpr std::chrono::duration<double> kShortestSleep{0.001}, kLongestSleep{0.02};

}  // namespace

void ControlLatency::add(double seconds) {
  ++commands;
  sum += seconds;
  worst = std::max(worst, seconds);
}

LiveStream::LiveStream(std::unique_ptr<LiveRenderer> renderer, int64_t ahead)
    : renderer_(std::move(renderer)),
      ahead_(std::max(ahead, renderer_->chunk_samples())),
      ring_(std::max(ahead_.load(), kLongestBlock) + 2 * renderer_->chunk_samples()),
      thread_([this](const std::stop_token& stop) { render(stop); }) {}

double LiveStream::seconds(int64_t samples) const {
  return static_cast<double>(samples) / static_cast<double>(model().timing.sample_rate);
}

void LiveStream::render(const std::stop_token& stop) {
  try {
    while (!stop.stop_requested()) {
      const int64_t more = ring_.size() - ahead();  // than are wanted
      if (more >= 0) {
        const std::chrono::duration<double> until(seconds(more));
        std::unique_lock lock(mutex_);
        wanted_.wait_for(lock, stop, std::clamp(until, kShortestSleep, kLongestSleep),
                         [this] { return pulled_; });
        pulled_ = false;
        continue;
      }
      const std::span<const float> samples = renderer_->render();
      ring_.write(samples);
      if (samples.empty()) continue;
      if (const auto seen = renderer_->control().take_seen()) {
        const std::chrono::duration<double> elapsed = LiveControl::Clock::now() - *seen;
        latency_.add(elapsed.count() +
                     seconds(std::max<int64_t>(ring_.size() - std::ssize(samples), 0)));
      }
    }
  } catch (const std::exception& error) {
    error_ = error.what();
    ended_.store(true, std::memory_order_release);
  }
}

int64_t LiveStream::process(std::span<float> samples) {
  const int64_t asked = std::min(std::ssize(samples), kLongestBlock) + renderer_->chunk_samples();
  if (asked > ahead()) ahead_.store(asked, std::memory_order_relaxed);
  if (!begun_ && ring_.size() < ahead() && error() == nullptr) {
    std::ranges::fill(samples, 0.0F);
    return 0;
  }
  const int64_t count = ring_.read(samples);
  std::fill(samples.begin() + count, samples.end(), 0.0F);
  begun_ = begun_ || count > 0;
  if (begun_ && count < std::ssize(samples)) underruns_.fetch_add(1, std::memory_order_relaxed);
  return count;
}

void LiveStream::pull(std::span<float> samples) {
  while (!samples.empty()) {
    const bool ended = error() != nullptr;  // before the ring is looked at: its rest is given first
    const int64_t count = ring_.read(samples);
    samples = samples.subspan(static_cast<size_t>(count));
    if (count > 0 || samples.empty()) continue;
    if (ended) fail("{}", error_);
    {
      const std::scoped_lock lock(mutex_);
      pulled_ = true;
    }
    wanted_.notify_one();
    std::this_thread::sleep_for(kShortestSleep);
  }
}

void LiveStream::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dsf
