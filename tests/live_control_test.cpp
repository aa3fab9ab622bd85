// What a live stream is told: lines of text, and values that glide.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "engine/live/control_line.h"
#include "engine/live/live_control.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

using testing::expect_error;

std::vector<float> next(LiveControl& control) {
  const std::span<const float> values = control.advance();
  return {values.begin(), values.end()};
}

void set(LiveControl& control, int64_t index, float target, int64_t frames) {
  const ControlLine::Value one[] = {{index, target}};
  control.set(one, frames);
}

TEST(LiveControl, GlidesEvenlyAndStays) {
  const std::vector<float> begin = {0, 1};
  LiveControl control(begin);
  EXPECT_EQ(next(control), begin);
  set(control, 0, 1, 4);
  set(control, 1, 0.5F, 0);
  EXPECT_EQ(next(control), (std::vector<float>{0.25F, 0.5F}));
  EXPECT_EQ(next(control), (std::vector<float>{0.5F, 0.5F}));
  set(control, 0, 1, 4);  // said again: the glide goes on
  EXPECT_EQ(next(control), (std::vector<float>{0.75F, 0.5F}));
  set(control, 0, 0, 1);  // another way: from where it is
  EXPECT_EQ(next(control), (std::vector<float>{0, 0.5F}));
  EXPECT_EQ(next(control), (std::vector<float>{0, 0.5F}));
  set(control, 0, 3, std::numeric_limits<int64_t>::max());
  EXPECT_GT(next(control)[0], 0);
  EXPECT_THROW(set(control, 2, 0, 0), Error);
}

// What comes before a frame is drawn, however often.
TEST(LiveControl, AGlideBeginsAtTheJumpBeforeIt) {
  const std::vector<float> begin = {0};
  LiveControl control(begin);
  set(control, 0, 0.25F, 0);
  set(control, 0, 1, 0);
  set(control, 0, 0, 4);
  for (const float value : {0.75F, 0.5F, 0.25F, 0.0F, 0.0F}) EXPECT_EQ(next(control)[0], value);
  set(control, 0, 1, 0);
  set(control, 0, 0, 4);  // as it was told before
  for (const float value : {0.75F, 0.5F}) EXPECT_EQ(next(control)[0], value);
  set(control, 0, 1, 4);
  set(control, 0, 0.125F, 0);  // a jump ends the glide before it
  for (const float value : {0.125F, 0.125F}) EXPECT_EQ(next(control)[0], value);
  set(control, 0, 0.125F, 0);
  EXPECT_EQ(next(control)[0], 0.125F);
}

// Both halves of a command arrive together.
TEST(LiveControl, IsSetByAnotherThread) {
  const std::vector<float> begin = {0};
  LiveControl control(begin);
  std::jthread other([&](const std::stop_token& stop) {
    for (int64_t i = 1; !stop.stop_requested(); i = i % 1000 + 1) {
      set(control, 0, static_cast<float>(i % 2), 1 - i % 2);
    }
  });
  for (int i = 0; i < 100'000; ++i) {
    const float value = control.advance()[0];
    ASSERT_TRUE(value == 0 || value == 1) << value;
  }
}

// All values of one command change in one frame, whatever happens in between. Many values make what
// could go wrong likely.
TEST(LiveControl, WhatIsSetTogetherIsSeenTogether) {
  const std::vector<float> begin(500, 0.0F);
  LiveControl control(begin);
  std::jthread other([&](const std::stop_token& stop) {
    std::vector<ControlLine::Value> all(begin.size());
    for (int64_t i = 0; i < std::ssize(all); ++i) all[static_cast<size_t>(i)].index = i;
    for (int round = 1; !stop.stop_requested(); ++round) {
      for (ControlLine::Value& value : all) value.target = static_cast<float>(round % 100);
      control.set(all, 0);
      for (int wait = 0; wait < 500; ++wait) std::atomic_signal_fence(std::memory_order_seq_cst);
    }
  });
  std::set<float> seen;
  const auto end = LiveControl::Clock::now() + std::chrono::milliseconds(300);
  while (LiveControl::Clock::now() < end) {
    const std::span<const float> now = control.advance();
    ASSERT_TRUE(std::ranges::all_of(now, [&](float value) { return value == now[0]; }));
    seen.insert(now[0]);
  }
  EXPECT_GE(seen.size(), 2U);
}

TEST(LiveControl, SaysWhenACommandCame) {
  const std::vector<float> begin = {0};
  LiveControl control(begin);
  const ControlLine::Value one[] = {{0, 1}};
  control.set(one, 0);
  control.advance();
  EXPECT_FALSE(control.take_seen()) << "nobody asked";
  const auto came = LiveControl::Clock::now();
  control.set(one, 0, came);
  control.set(one, 0, came + std::chrono::seconds(1));
  EXPECT_FALSE(control.take_seen()) << "not seen yet";
  control.advance();
  EXPECT_EQ(control.take_seen(), came);
  EXPECT_FALSE(control.take_seen());
}

TEST(ControlLine, NamesValuesAndTime) {
  const std::vector<std::string> names = {"wind", "a=b", "gust"};
  const auto parse = [&](std::string_view line) { return parse_control_line(line, names); };
  const ControlLine line = parse("  wind=0.7 gust=-2e-1\tover 2s\r\n");
  ASSERT_EQ(line.values.size(), 2U);
  EXPECT_EQ(line.values[0].index, 0);
  EXPECT_EQ(line.values[0].target, 0.7F);
  EXPECT_EQ(line.values[1].index, 2);
  EXPECT_EQ(line.values[1].target, -0.2F);
  EXPECT_EQ(line.seconds, 2);
  EXPECT_EQ(parse("a=b=1").values[0].index, 1);
  EXPECT_EQ(parse("wind=1 over 50ms").seconds, 0.05);
  EXPECT_TRUE(parse("").values.empty());
  EXPECT_TRUE(parse("# wind=1").values.empty());
  EXPECT_EQ(parse("wind=1 over 2s   # at once: b=1").seconds, 2);

  const auto refused = [&](std::string_view text, const std::vector<std::string>& parts) {
    expect_error<UsageError>([&] { parse(text); }, parts);
  };
  refused("rain=1", {"'rain'", "no such class or parameter", "wind, a=b, gust"});
  refused("wind", {"'wind'", "NAME=VALUE"});
  refused("=1", {"'=1'", "NAME=VALUE"});
  for (const char* text : {"", "x", "1x", "nan", "inf", "1e7", "0,5", "+1"}) {
    refused(fmt::format("wind={}", text), {"wind=", "expected a number"});
  }
  for (const char* text : {"2", "s", "2m", "-1s", "1e9s", "nans"}) {
    refused(fmt::format("wind=1 over {}", text), {"over", "expected a time"});
  }
  refused("over 2s", {"nothing that is to move"});
  refused(std::string(10'000, 'x'), {"NAME=VALUE"});
  refused("wind=1 over", {"'wind=1 over'", "one time behind over"});
  refused("wind=1 over 2 s", {"without a space"});
}

}  // namespace
}  // namespace dsf
