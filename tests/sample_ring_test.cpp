// Samples between two threads: all, in order.
#include "engine/live/sample_ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace dsf {
namespace {

TEST(SampleRing, WrapsAround) {
  SampleRing ring(5);
  const std::vector<float> a = {1, 2, 3}, b = {4, 5, 6, 7};
  std::vector<float> out(2);
  EXPECT_EQ(ring.read(out), 0);
  ring.write(a);
  EXPECT_EQ(ring.read(out), 2);
  EXPECT_EQ(out, (std::vector<float>{1, 2}));
  ring.write(b);
  EXPECT_EQ(ring.size(), 5);
  out.resize(9);
  EXPECT_EQ(ring.read(out), 5);
  EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 5), (std::vector<float>{3, 4, 5, 6, 7}));
  EXPECT_EQ(ring.size(), 0);
}

TEST(SampleRing, TwoThreads) {
  constexpr int kSamples = 100'000;  // which floats count exactly
  SampleRing ring(64);
  std::jthread writer([&] {
    int next = 0;
    while (next < kSamples) {
      std::vector<float> part;
      for (int i = 0; i < next % 17 + 1 && next < kSamples; ++i) {
        part.push_back(static_cast<float>(next++));
      }
      while (ring.size() + std::ssize(part) > ring.capacity()) std::this_thread::yield();
      ring.write(part);
    }
  });
  std::vector<float> out(23);
  int expected = 0;
  while (expected < kSamples) {
    const int64_t count = ring.read(out);
    if (count == 0) std::this_thread::yield();
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(out[static_cast<size_t>(i)], static_cast<float>(expected++));
    }
  }
}

}  // namespace
}  // namespace dsf
