#pragma once
// Threads that do one piece of work together, step by step: where loops of parallel_for would end
// and begin anew after every few microseconds.
#include <algorithm>
#include <atomic>
#include <cstdint>

namespace dsf {

/// One of a team's threads, numbered from 0.
class TeamMember {
 public:
  struct Meeting {
    std::atomic<uint32_t> arrived{0}, held{0};
  };
  TeamMember(Meeting& meeting, int64_t index, int64_t size)
      : meeting_(meeting), index_(index), size_(size) {}

  /// Waits for all members: what each wrote before all see after. Those who wait keep their cores
  /// for some tens of microseconds, then they sleep.
  void meet();

  struct Range {
    int64_t begin, end;
  };
  /// Its part of [0, count), whose bounds are multiples of `grain` or `count`.
  Range range(int64_t count, int64_t grain = 1) const {
    const int64_t grains = (count + grain - 1) / grain;
    return {std::min(count, grains * index_ / size_ * grain),
            std::min(count, grains * (index_ + 1) / size_ * grain)};
  }

 private:
  Meeting& meeting_;
  int64_t index_, size_;
};

namespace detail {
using TeamWork = void (*)(const void* work, TeamMember& member);
void run_team(int64_t size, TeamWork call, const void* work);
}  // namespace detail

/// Calls work(member) for each of at most `size` members, on as many threads, of which the calling
/// one is the first. Each of them runs parallel_for's loops by itself. `work` must not throw: the
/// others would wait for ever.
template <class Work>
void run_team(int64_t size, const Work& work) {
  detail::run_team(
      size,
      [](const void* object, TeamMember& member) noexcept {
        (*static_cast<const Work*>(object))(member);
      },
      &work);
}

}  // namespace dsf
