#include "kernels/common/team.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/common/parallel.h"

namespace dsf {
namespace {

TEST(Team, RangesCoverAllAndMeetAtWholeGrains) {
  for (const int64_t count : {0, 1, 15, 16, 17, 100}) {
    for (const int64_t size : {1, 2, 3, 7}) {
      TeamMember::Meeting meeting;
      int64_t end = 0;
      for (int64_t index = 0; index < size; ++index) {
        const auto range = TeamMember(meeting, index, size).range(count, 16);
        EXPECT_EQ(range.begin, end);
        EXPECT_TRUE(range.begin % 16 == 0 || range.begin == count) << range.begin;
        end = range.end;
      }
      EXPECT_EQ(end, count);
    }
  }
}

/// Round after round each member adds up what all have written in the round before. `late` is how
/// long the first of them is away in each round.
void expect_sums(int64_t size, int rounds, std::chrono::microseconds late) {
  std::vector<int64_t> numbers(static_cast<size_t>(size), 1);
  std::vector<int64_t> members(static_cast<size_t>(size), 0);
  run_team(size, [&](TeamMember& member) {
    const auto [begin, end] = member.range(size);
    for (int64_t i = begin; i < end; ++i) ++members[static_cast<size_t>(i)];
    for (int round = 0; round < rounds; ++round) {
      if (begin == 0) std::this_thread::sleep_for(late);
      member.meet();
      const int64_t sum = std::accumulate(numbers.begin(), numbers.end(), int64_t{0});
      member.meet();
      for (int64_t i = begin; i < end; ++i) numbers[static_cast<size_t>(i)] = sum % 1000 + i;
    }
  });
  EXPECT_EQ(members, std::vector<int64_t>(members.size(), 1)) << "each has its part";
  std::vector<int64_t> expected(numbers.size(), 1);
  for (int round = 0; round < rounds; ++round) {
    const int64_t sum = std::accumulate(expected.begin(), expected.end(), int64_t{0});
    for (size_t i = 0; i < expected.size(); ++i) {
      expected[i] = sum % 1000 + static_cast<int64_t>(i);
    }
  }
  EXPECT_EQ(numbers, expected);
}

TEST(Team, AllSeeWhatEachWroteBeforeTheyMet) {
  for (const int64_t size : {1, 2, 3}) expect_sums(size, 200, std::chrono::microseconds(0));
}

TEST(Team, ThoseWhoWaitLongSleepAndAreWoken) {
  expect_sums(3, 5, std::chrono::milliseconds(20));
}

TEST(Team, MembersRunLoopsByThemselves) {
  const int before = num_threads();
  std::vector<int> threads(2, 0);
  run_team(2, [&](TeamMember& member) {
    const auto [begin, end] = member.range(2);
    for (int64_t i = begin; i < end; ++i) threads[static_cast<size_t>(i)] = num_threads();
  });
  EXPECT_EQ(threads, std::vector<int>(2, 1));
  EXPECT_EQ(num_threads(), before);
}

}  // namespace
}  // namespace dsf
