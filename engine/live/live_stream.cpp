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

int64_t LiveStream::wanted() const {
  return std::max(plays_.load(std::memory_order_relaxed) ? ahead() : 0, pulled_.load());
}

void LiveStream::render(const std::stop_token& stop) {
  try {
    while (!stop.stop_requested()) {
      const int64_t ready = ring_.size();  // before `wanted`: a pull wants no more, then takes
      const int64_t more = ready - wanted();
      if (more >= 0) {
        const std::chrono::duration<double> until(seconds(more));
        std::unique_lock lock(mutex_);
        asked_.wait_for(lock, stop, std::clamp(until, kShortestSleep, kLongestSleep),
                        [&] { return pulled_.load() > ready; });
        continue;
      }
      const std::span<const float> samples = renderer_->render();
      ring_.write(samples);
      if (pulled_.load() > 0) notify_pull();
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
    notify_pull();
  }
}

void LiveStream::notify_pull() {
  { const std::scoped_lock lock(mutex_); }  // it waits, or has yet to look
  rendered_.notify_one();
}

int64_t LiveStream::process(std::span<float> samples) {
  const int64_t asked = std::min(std::ssize(samples), kLongestBlock) + renderer_->chunk_samples();
  if (asked > ahead()) ahead_.store(asked, std::memory_order_relaxed);
  plays_.store(true, std::memory_order_relaxed);
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

void LiveStream::wait_for(int64_t count) {
  std::unique_lock lock(mutex_);
  pulled_.store(count);
  asked_.notify_one();
  rendered_.wait(lock, [&] { return ring_.size() >= count || error() != nullptr; });
  pulled_.store(0);
}

void LiveStream::pull(std::span<float> samples) {
  while (!samples.empty()) {
    const std::span<float> part =
        samples.first(std::min(samples.size(), static_cast<size_t>(kLongestBlock)));
    wait_for(std::ssize(part));
    const int64_t count = ring_.read(part);  // what is left where the rendering has ended
    if (count < std::ssize(part)) fail("{}", error_);
    samples = samples.subspan(part.size());
  }
}

void LiveStream::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dsf
