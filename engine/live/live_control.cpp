#include "engine/live/live_control.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {

LiveControl::LiveControl(std::span<const float> begin)
    : commands_(std::make_unique<std::atomic<Command>[]>(begin.size())),
      now_(begin.begin(), begin.end()) {
  for (size_t i = 0; i < begin.size(); ++i) {
    const Command command{begin[i], 0};
    commands_[i].store(command, std::memory_order_relaxed);
    glides_.push_back({command, 0});
  }
}

void LiveControl::set(int64_t index, float target, int64_t frames) {
  DSF_CHECK(index >= 0 && index < size() && frames >= 0, "value {} of {}, {} frames", index, size(),
            frames);
  constexpr int64_t kMost = std::numeric_limits<uint32_t>::max();
  commands_[static_cast<size_t>(index)].store(
      {target, static_cast<uint32_t>(std::min(frames, kMost))}, std::memory_order_relaxed);
  Clock::rep none = 0;
  unseen_.compare_exchange_strong(none, Clock::now().time_since_epoch().count(),
                                  std::memory_order_release, std::memory_order_relaxed);
}

std::span<const float> LiveControl::advance() {
  const Clock::rep came = unseen_.exchange(0, std::memory_order_acquire);
  if (came != 0 && seen_ == 0) seen_ = came;
  for (size_t i = 0; i < now_.size(); ++i) {
    const Command command = commands_[i].load(std::memory_order_relaxed);
    Glide& glide = glides_[i];
    if (command.target != glide.command.target || command.frames != glide.command.frames) {
      glide = {command, std::max<int64_t>(command.frames, 1)};
    }
    if (glide.left == 0) continue;
    now_[i] += (command.target - now_[i]) / static_cast<float>(glide.left);
    if (--glide.left == 0) now_[i] = command.target;
  }
  return now_;
}

std::optional<LiveControl::Clock::time_point> LiveControl::take_seen() {
  const Clock::rep seen = std::exchange(seen_, 0);
  if (seen == 0) return {};
  return Clock::time_point(Clock::duration(seen));
}

}  // namespace dsf
