// Cooperative launches: blocks that run all at once and meet at grid barriers, and what is wrong
// with those that do not.
#include "kernels/common/grid.h"

#include <cmath>

#include "kernels/common/hand_over.h"
#include "kernels/common/reduce.h"
#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

using cuda::grid_barrier;
using cuda::launch;
using cuda::launch_cooperative;

/// Three rounds in which every block passes on what the block before it had.
__global__ void pass_on(int* to, int* from, bool barrier) {
  DSF_SHARED(int, mine, 1);
  for (int round = 0; round < 3; ++round) {
    if (threadIdx.x == 0) mine[0] = from[(blockIdx.x + gridDim.x - 1) % gridDim.x];
    __syncthreads();
    if (threadIdx.x == blockDim.x - 1) to[blockIdx.x] = mine[0];
    if (barrier) grid_barrier();
    int* const read = from;
    from = to;
    to = read;
  }
}

TEST(SimtCooperative, BlocksReadWhatOthersWroteBeforeTheBarrier) {
  for (const int blocks : {1, 2, 16}) {
    const auto passed = same_in_all_schedules([&] {
      const auto size = static_cast<size_t>(blocks);
      const DeviceArray<int> from(numbers<int>(size)), to(size);
      launch_cooperative(pass_on, blocks, 96, 0, nullptr, to.data(), from.data(), true);
      return to.values();
    });
    EXPECT_EQ(passed[0], (blocks * 3 - 3) % blocks);
  }
}

TEST(SimtCooperative, MissingGridBarrier) {
  const DeviceArray<int> from(numbers<int>(4)), to(numbers<int>(4));
  expect_fault(
      [&] { launch_cooperative(pass_on, 4, 64, 0, nullptr, to.data(), from.data(), false); },
      {"race: ", "of 4 bytes, byte", "block", "pass_on"});
}

__global__ void sum_of_blocks(float* y, float* sums, const float* x, bool block_barriers) {
  DSF_SHARED(float, share, 64);
  share[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  if (block_barriers) __syncthreads();
  float sum = 0;
  for (int i = 0; threadIdx.x == 0 && i < 64; ++i) sum += share[i];
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
  grid_barrier();
  share[threadIdx.x] =
      threadIdx.x < gridDim.x ? sums[threadIdx.x] : 0;  // the grid's is a block's too
  grid_barrier();
  for (unsigned i = 0; threadIdx.x == 0 && i < 64; ++i) {
    y[blockIdx.x] = (i == 0 ? 0 : y[blockIdx.x]) + share[i];
  }
}

TEST(SimtCooperative, BlocksHaveSharedMemoryOfTheirOwn) {
  const DeviceArray<float> x(numbers<float>(320)), sums(5), y(5);
  launch_cooperative(sum_of_blocks, 5, 64, 0, nullptr, y.data(), sums.data(), x.data(), true);
  EXPECT_EQ(y.values(), std::vector<float>(5, 319 * 160));
  expect_fault(
      [&] {
        launch_cooperative(sum_of_blocks, 5, 64, 0, nullptr, y.data(), sums.data(), x.data(),
                           false);
      },
      {"shared array 'share'", "sum_of_blocks"});
}

/// Two stages: each block hands over four numbers, and takes a vector of the block before it.
__global__ void hand_on(float* y, float* places, bool wait, unsigned blocks) {
  float* const mine = places + 4 * blockIdx.x;
  if (threadIdx.x < 4) mine[threadIdx.x] = cuda::absent();
  auto arrival = cuda::arrive_at_grid_barrier();
  const float number = 10 * static_cast<float>(blockIdx.x) + static_cast<float>(threadIdx.x);
  cuda::wait_for_grid(arrival);
  if (blockIdx.x < blocks && threadIdx.x < 4) {
    cuda::hand_over(mine + threadIdx.x, threadIdx.x == 3 ? cuda::absent() : number);
  }
  if (wait) cuda::await_blocks();
  if (threadIdx.x > 0) return;
  cuda::Vector<4> taken[1];
  cuda::await<4>({places + 4 * ((blockIdx.x + 1) % gridDim.x)}, taken);
  for (int i = 0; i < 4; ++i) {
    y[4 * blockIdx.x + static_cast<unsigned>(i)] = std::isnan(taken[0][i]) ? -1 : taken[0][i];
  }
}

TEST(SimtCooperative, NumbersAreHandedOver) {
  const auto taken = same_in_all_schedules([&] {
    const DeviceArray<float> y(12), places(12);
    launch_cooperative(hand_on, 3, 64, 0, nullptr, y.data(), places.data(), true, 3U);
    return y.values();
  });
  EXPECT_EQ(taken[0], 10);
  EXPECT_EQ(taken[5], 21);
  EXPECT_EQ(taken[10], 2);
  EXPECT_EQ(taken[11], -1);  // a number that looks like none is there
}

TEST(SimtCooperative, NumbersThatNobodyWaitsForOrHandsOver) {
  const DeviceArray<float> y(12), places(12);
  expect_fault(
      [&] { launch_cooperative(hand_on, 3, 64, 0, nullptr, y.data(), places.data(), false, 3U); },
      {"launched at"});  // a race, or a number that never comes
  expect_fault(
      [&] { launch_cooperative(hand_on, 3, 64, 0, nullptr, y.data(), places.data(), true, 2U); },
      {"__trap at", "hand_over.h"});
}

constexpr int kBarrier = __LINE__ + 3;
__global__ void barrier_of_some(unsigned blocks, unsigned threads) {
  if (blockIdx.x >= blocks || threadIdx.x >= threads) return;
  grid_barrier();
}
__global__ void two_barriers() {
  if (blockIdx.x == 0) {
    grid_barrier();
  } else {
    grid_barrier();
  }
}
__global__ void grid_against_block() {
  if (threadIdx.x < 32) {
    grid_barrier();
  } else {
    __syncthreads();
  }
}

TEST(SimtCooperative, BarriersThatNotAllReach) {
  launch_cooperative(barrier_of_some, 3, 64, 0, nullptr, 3, 64);
  expect_fault([] { launch_cooperative(barrier_of_some, 3, 64, 0, nullptr, 2, 64); },
               {"divergent grid barrier: block",
                fmt::format("waits at a grid barrier at {}:{}", __FILE__, kBarrier), "has ended"});
  expect_fault([] { launch_cooperative(barrier_of_some, 3, 64, 0, nullptr, 3, 63); },
               {"divergent barrier: thread 0", "but thread 63 has ended"});
  expect_fault([] { launch_cooperative(two_barriers, 2, 32, 0, nullptr); },
               {"divergent grid barrier: block", "waits at a grid barrier at", ", but block"});
  expect_fault([] { launch_cooperative(grid_against_block, 2, 64, 0, nullptr); },
               {"divergent barrier", "waits at a grid barrier", "waits at __syncthreads"});
}

TEST(SimtCooperative, OrdinaryLaunchesHaveNoGridBarrier) {
  expect_fault([] { launch(barrier_of_some, 1, 32, 0, nullptr, 1, 32); },
               {"a grid barrier at", "but the launch is not cooperative"});
}

TEST(SimtCooperative, LimitsOfTheSimulation) {
  launch_cooperative(barrier_of_some, 16, 256, 0, nullptr, 16, 256);
  expect_fault([] { launch_cooperative(barrier_of_some, 17, 32, 0, nullptr, 17, 32); },
               {"17 cooperative blocks of 32 threads; here at most 16"});
  expect_fault([] { launch_cooperative(barrier_of_some, 16, 288, 0, nullptr, 16, 288); },
               {"16 cooperative blocks of 288 threads"});
}

}  // namespace
}  // namespace dsf::simt
