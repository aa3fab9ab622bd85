#include "engine/live/live_control.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {

LiveControl::LiveControl(std::span<const float> begin)
    : values_(std::make_unique<Value[]>(begin.size())), now_(begin.begin(), begin.end()) {
  for (size_t i = 0; i < begin.size(); ++i) {
    const Command command{begin[i], 0};
    const Jump jump{begin[i], 0};
    values_[i].command.store(command);
    values_[i].jump.store(jump);
    read_.push_back({command, jump});
    glides_.push_back({command});
  }
}

void LiveControl::set(std::span<const ControlLine::Value> values, int64_t frames,
                      std::optional<Clock::time_point> came) {
  for (const ControlLine::Value& value : values) {
    DSF_CHECK(value.index >= 0 && value.index < size() && frames >= 0, "value {} of {}, {} frames",
              value.index, size(), frames);
  }
  constexpr int64_t kMost = std::numeric_limits<uint32_t>::max();
  const auto left = static_cast<uint32_t>(std::min(frames, kMost));
  setting_.fetch_add(1);
  for (const ControlLine::Value& value : values) {
    Value& set = values_[static_cast<size_t>(value.index)];
    if (left == 0) set.jump.store({value.target, set.jump.load().number + 1});
    set.command.store({value.target, left});
  }
  if (came) {
    Clock::rep none = 0;
    unseen_.compare_exchange_strong(none, came->time_since_epoch().count());
  }
  version_.fetch_add(1);
  setting_.fetch_sub(1);
}

/// False where they could be of a call that is not done.
bool LiveControl::read_commands() {
  const uint64_t version = version_.load();
  if (setting_.load() != 0) return false;
  for (size_t i = 0; i < read_.size(); ++i) {
    read_[i] = {values_[i].command.load(), values_[i].jump.load()};
  }
  return setting_.load() == 0 && version_.load() == version;
}

std::span<const float> LiveControl::advance() {
  if (read_commands()) {
    const Clock::rep came = unseen_.exchange(0);
    if (came != 0 && seen_ == 0) seen_ = came;
    for (size_t i = 0; i < glides_.size(); ++i) {
      const auto& [command, jump] = read_[i];
      Glide& glide = glides_[i];
      const bool jumps = jump.number != glide.jumps;
      if (!jumps && command.target == glide.command.target &&
          command.frames == glide.command.frames) {
        continue;
      }
      if (jumps) now_[i] = jump.target;
      glide = {command, jump.number, std::max<int64_t>(command.frames, 1)};
    }
  }
  for (size_t i = 0; i < now_.size(); ++i) {
    Glide& glide = glides_[i];
    if (glide.left == 0) continue;
    now_[i] += (glide.command.target - now_[i]) / static_cast<float>(glide.left);
    if (--glide.left == 0) now_[i] = glide.command.target;
  }
  return now_;
}

std::optional<LiveControl::Clock::time_point> LiveControl::take_seen() {
  const Clock::rep seen = std::exchange(seen_, 0);
  if (seen == 0) return {};
  return Clock::time_point(Clock::duration(seen));
}

}  // namespace dsf
