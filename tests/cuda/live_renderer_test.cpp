// A live stream whose model and codec are on the GPU that is linked into the program.
#include "engine/live/live_renderer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/common/device_memory.h"
#include "tests/cuda/orders.h"
#include "tests/live_model.h"
#include "tests/worst.h"

namespace dsf::testing {
namespace {

constexpr size_t kSamples = 96;  // of hops of 8

/// Chunks of two frames, between which the controls change.
std::vector<float> sound(const Context& ctx) {
  LiveRenderer renderer(live_model({1}, ctx), 2);
  std::vector<float> samples = rendered(renderer, kSamples / 2);
  const ControlLine::Value moved[] = {{0, 0}, {1, 1}, {2, 0.9F}};
  renderer.control().set(moved, 3);
  const std::vector<float> then = rendered(renderer, kSamples / 2);
  samples.insert(samples.end(), then.begin(), then.end());
  return samples;
}

TEST(CudaLiveRenderer, IsTheCpus) {
  static void* const stream = cuda::create_stream();
  const Context gpu{Device::cuda, stream};
  const std::vector<float> expected = sound(Context{}), samples = sound(gpu);
  double largest = 0, loudest = 0;
  for (size_t i = 0; i < kSamples; ++i) {
    largest = worse(largest, std::abs(samples[i] - expected[i]));
    loudest = worse(loudest, std::abs(expected[i]));
  }
  EXPECT_LE(largest, 1e-5);
  EXPECT_GT(loudest, 1e-3);
  in_other_orders([&](int order) { EXPECT_EQ(sound(gpu), samples) << "order " << order; });
}

}  // namespace
}  // namespace dsf::testing
