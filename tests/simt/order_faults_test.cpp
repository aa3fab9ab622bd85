// Planted faults of order: barriers and collectives that not all reach, and races.
#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

using cuda::launch;

// --- Barriers ---

constexpr int kFirstBarrier = __LINE__ + 3;
__global__ void divergent_barrier(float* x) {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    x[threadIdx.x] = 1;
    __syncthreads();
  }
}

TEST(SimtBarrier, Divergent) {
  const DeviceArray<float> x(64);
  launch(divergent_barrier, 1, 40, 0, nullptr, x.data());
  expect_fault([&] { launch(divergent_barrier, 1, 64, 0, nullptr, x.data()); },
               {"divergent barrier", fmt::format("order_faults_test.cpp:{}", kFirstBarrier),
                fmt::format("order_faults_test.cpp:{}", kFirstBarrier + 3), "block ("});
}

__global__ void barrier_after_return(int count) {
  if (static_cast<int>(threadIdx.x) >= count) return;
  __syncthreads();
}

TEST(SimtBarrier, NotReachedByAll) {
  launch(barrier_after_return, 1, 64, 0, nullptr, 64);
  launch(barrier_after_return, 1, 64, 0, nullptr, 0);
  expect_fault([] { launch(barrier_after_return, 1, 64, 0, nullptr, 63); },
               {"divergent barrier", "but thread 63 has ended"});
}

__global__ void barrier_of_one_warp(float* x) {
  if (threadIdx.x < 32) __syncthreads();
  x[threadIdx.x] = 1;
  if (threadIdx.x >= 32) __syncwarp();
}

TEST(SimtBarrier, SkippedByAWarp) {
  const DeviceArray<float> x(64);
  expect_fault([&] { launch(barrier_of_one_warp, 1, 64, 0, nullptr, x.data()); },
               {"divergent barrier", "has ended"});
}

// --- Warps ---

constexpr int kShuffle = __LINE__ + 2;
__global__ void shuffle_with(unsigned mask, int source, int lanes) {
  if (static_cast<int>(threadIdx.x) < lanes) __shfl_sync(mask, 1.0F, source);
}

TEST(SimtWarp, ShuffleFromAnInactiveLane) {
  launch(shuffle_with, 1, 32, 0, nullptr, 0xFFFFU, 15, 16);
  expect_fault([] { launch(shuffle_with, 1, 32, 0, nullptr, 0xFFFFU, 16, 16); },
               {"__shfl_sync at", fmt::format("order_faults_test.cpp:{}", kShuffle),
                "reads from lane 16, which takes no part (mask 0xffff"});
  // The mask names them, but they have ended, or were never there.
  expect_fault([] { launch(shuffle_with, 1, 32, 0, nullptr, cuda::kAllLanes, 16, 16); },
               {"reads from lane 16, which takes no part (mask 0xffffffff, there 0xffff)"});
  expect_fault([] { launch(shuffle_with, 1, 40, 0, nullptr, cuda::kAllLanes, 8, 40); },
               {"reads from lane 8", "there 0xff)"});
}

TEST(SimtWarp, LaneOutsideItsMask) {
  expect_fault([] { launch(shuffle_with, 1, 32, 0, nullptr, 0x7FFFU, 0, 16); },
               {"lane 15 is not in its own mask 0x7fff"});
}

__global__ void sum_down(float* y, int lanes, unsigned mask) {
  float value = 1;
  if (static_cast<int>(threadIdx.x) < lanes) {
    for (unsigned delta = 16; delta > 0; delta /= 2) value += __shfl_down_sync(mask, value, delta);
  }
  y[threadIdx.x] = value;
}

TEST(SimtWarp, ReductionOverLanesThatAreNotThere) {
  const DeviceArray<float> y(32);
  launch(sum_down, 1, 32, 0, nullptr, y.data(), 32, cuda::kAllLanes);
  EXPECT_EQ(y.values()[0], 32);
  expect_fault([&] { launch(sum_down, 1, 32, 0, nullptr, y.data(), 24, 0xFFFFFFU); },
               {"__shfl_down_sync", "takes no part"});
}

__global__ void divergent_shuffles() {
  if (threadIdx.x % 2 == 0) {
    __shfl_xor_sync(cuda::kAllLanes, 1, 2);
  } else {
    __shfl_xor_sync(cuda::kAllLanes, 2, 2);
  }
}
__global__ void shuffle_against_barrier() {
  if (threadIdx.x == 5) {
    __syncthreads();
  } else {
    __any_sync(cuda::kAllLanes, 1);
  }
}

TEST(SimtWarp, Divergent) {
  expect_fault([] { launch(divergent_shuffles, 1, 32, 0, nullptr); },
               {"divergent warp: lane 0 waits in __shfl_xor_sync (mask 0xffffffff) at",
                "but lane 1 waits in __shfl_xor_sync"});
  expect_fault([] { launch(shuffle_against_barrier, 1, 32, 0, nullptr); },
               {"waits in __any_sync", "but lane 5 waits at __syncthreads"});
}

// --- Races ---

__global__ void reverse(float* y, const float* x, bool barrier) {
  DSF_SHARED(float, tile, 64);
  tile[threadIdx.x] = x[threadIdx.x];
  if (barrier) __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

TEST(SimtRace, MissingBarrier) {
  const DeviceArray<float> x(numbers<float>(64)), y(64);
  launch(reverse, 1, 64, 0, nullptr, y.data(), x.data(), true);
  EXPECT_EQ(y.values()[63], 0);
  // Some read before the write, and so what nobody wrote; others after it, which is the race.
  expect_fault([&] { launch(reverse, 1, 64, 0, nullptr, y.data(), x.data(), false); },
               {"byte", "shared array 'tile'", "reverse"});
}

__global__ void halve(float* y, const float* x, bool barrier) {
  DSF_SHARED(float, sums, 128);
  sums[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    if (barrier) __syncthreads();
  }
  if (threadIdx.x == 0) y[0] = sums[0];
}

TEST(SimtRace, MissingBarrierInAReduction) {
  const DeviceArray<float> x(numbers<float>(128)), y(1);
  launch(halve, 1, 128, 0, nullptr, y.data(), x.data(), true);
  EXPECT_EQ(y.values()[0], 127 * 64);
  expect_fault([&] { launch(halve, 1, 128, 0, nullptr, y.data(), x.data(), false); },
               {"race: ", "of shared array 'sums' (of 512 bytes), not ordered after the "});
}

__global__ void reuse(float* y, bool barrier) {
  DSF_SHARED(float, value, 1);
  for (int round = 0; round < 3; ++round) {
    if (threadIdx.x == 0) value[0] = static_cast<float>(round);
    __syncthreads();
    y[threadIdx.x] = value[0];
    if (barrier) __syncthreads();
  }
}

// The barrier before the next write to what others still read.
TEST(SimtRace, MissingBarrierBeforeReuse) {
  const DeviceArray<float> y(64);
  launch(reuse, 1, 64, 0, nullptr, y.data(), true);
  expect_fault([&] { launch(reuse, 1, 64, 0, nullptr, y.data(), false); },
               {"race: ", "of 4 bytes, byte 0 of shared array 'value'"});
}

__global__ void lockstep(float* y, bool synchronized) {
  DSF_SHARED(float, tile, 32);
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (synchronized) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1U];
}
__global__ void lockstep_of_half(float* y, unsigned mask) {
  DSF_SHARED(float, tile, 32);
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (mask >> threadIdx.x & 1U) __syncwarp(mask);
  y[threadIdx.x] = tile[threadIdx.x ^ 1U];
}

TEST(SimtRace, WarpsAreNotInLockstep) {
  const DeviceArray<float> y(32);
  launch(lockstep, 1, 32, 0, nullptr, y.data(), true);
  launch(lockstep_of_half, 1, 32, 0, nullptr, y.data(), cuda::kAllLanes);
  expect_fault([&] { launch(lockstep, 1, 32, 0, nullptr, y.data(), false); },
               {"shared array 'tile'"});
  expect_fault([&] { launch(lockstep_of_half, 1, 32, 0, nullptr, y.data(), 0xFFFFU); },
               {"shared array 'tile'"});
}

__global__ void add_in_turn(int* y, bool synchronized) {
  DSF_SHARED(int, word, 1);
  if (threadIdx.x == 0) word[0] = 0;
  __syncwarp();
  int sum = 0;
  for (unsigned round = 0; round < 4; ++round) {
    sum += word[0];
    if (synchronized) __syncwarp();
    if (threadIdx.x == round) word[0] += 1;
    __syncwarp();
  }
  y[threadIdx.x] = sum;
}

// The lane that writes has read too, after all others or at the same time.
TEST(SimtRace, WritesOfWhatOtherLanesRead) {
  const DeviceArray<int> y(32);
  launch(add_in_turn, 1, 32, 0, nullptr, y.data(), true);
  EXPECT_EQ(y.values(), std::vector<int>(32, 0 + 1 + 2 + 3));
  expect_fault([&] { launch(add_in_turn, 1, 32, 0, nullptr, y.data(), false); },
               {"race: ", "of 4 bytes, byte 0 of shared array 'word'"});
}

struct Roles {
  unsigned before, after, writer;  // lanes: which reads before the warps' barrier, and so on
};
__global__ void read_then_write(int* y, int* word, Roles roles, bool synchronized) {
  constexpr unsigned kMask = 0x7U;
  if (threadIdx.x == roles.before) y[0] = word[0];
  __syncwarp(kMask);
  if (threadIdx.x == roles.after) y[1] = word[0];
  if (synchronized) __syncwarp(kMask);
  if (threadIdx.x == roles.writer) word[0] = 6;
}

// The later of two reads counts, though the earlier one is known to lie before the write. In some
// of these roles it comes before the write, whatever the order.
TEST(SimtRace, WriteOrderedAfterTheEarlierReadOnly) {
  for (const Roles roles :
       {Roles{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}) {
    const DeviceArray<int> y(2), word(std::vector<int>{5});
    launch(read_then_write, 1, 3, 0, nullptr, y.data(), word.data(), roles, true);
    EXPECT_EQ(y.values(), (std::vector<int>{5, 5}));
    EXPECT_EQ(word.values()[0], 6);
    expect_fault(
        [&] { launch(read_then_write, 1, 3, 0, nullptr, y.data(), word.data(), roles, false); },
        {"race: ", "of 4 bytes, byte 0 of device buffer"});
  }
}

__global__ void warp_exchange_between_warps(float* y) {
  DSF_SHARED(float, tile, 64);
  tile[threadIdx.x] = 1;
  __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 32U];
}

TEST(SimtRace, WarpBarriersDoNotOrderWarps) {
  const DeviceArray<float> y(64);
  expect_fault([&] { launch(warp_exchange_between_warps, 1, 64, 0, nullptr, y.data()); },
               {"shared array 'tile'"});
}

__global__ void same_place(float* y, bool by_block) {
  y[by_block ? 0 : threadIdx.x] = 1;
}

TEST(SimtRace, WritesToOnePlace) {
  const DeviceArray<float> y(32);
  launch(same_place, 1, 32, 0, nullptr, y.data(), false);
  launch(same_place, 1, 32, 0, nullptr, y.data(), false);  // launches are ordered
  expect_fault([&] { launch(same_place, 1, 32, 0, nullptr, y.data(), true); },
               {"race: write of 4 bytes, byte 0 of device buffer", "after the write by block 0"});
  expect_fault([&] { launch(same_place, 2, 1, 0, nullptr, y.data(), true); },
               {"race: write of 4 bytes", "block ("});
}

__global__ void neighbours(float* y, const float* x, int64_t size) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  y[i] = x[(i + 1) % size];
}

TEST(SimtRace, ReadsOfWhatOtherBlocksWrite) {
  const DeviceArray<float> x(numbers<float>(128)), y(128);
  launch(neighbours, 2, 64, 0, nullptr, y.data(), x.data(), 128);
  EXPECT_EQ(y.values()[63], 64);
  expect_fault([&] { launch(neighbours, 2, 64, 0, nullptr, x.data(), x.data(), 128); },
               {"race: ", "byte"});
}

__global__ void halves(__half* y, bool apart) {
  y[apart ? threadIdx.x : threadIdx.x / 2] = __float2half(1);
}

TEST(SimtRace, NeighboursInAWordAreToldApart) {
  const DeviceArray<float> y(16);
  auto* pairs = reinterpret_cast<__half*>(y.data());
  cudaMemsetAsync(y.data(), 0, 64, nullptr);
  launch(halves, 1, 32, 0, nullptr, pairs, true);
  expect_fault([&] { launch(halves, 1, 32, 0, nullptr, pairs, false); },
               {"race: write of 2 bytes"});
}

__global__ void count(int* counter, bool atomically) {
  if (atomically) {
    atomicAdd(counter, 1);
  } else {
    *counter += 1;
  }
}
__global__ void count_and_read(int* y, int* counter) {
  atomicAdd(counter, 1);
  y[threadIdx.x] = *counter;
}

TEST(SimtRace, AtomicsAmongThemselvesOnly) {
  const DeviceArray<int> counter(std::vector<int>{0}), y(64);
  launch(count, 2, 64, 0, nullptr, counter.data(), true);
  EXPECT_EQ(counter.values()[0], 128);
  expect_fault([&] { launch(count, 1, 64, 0, nullptr, counter.data(), false); }, {"race: "});
  expect_fault([&] { launch(count_and_read, 1, 64, 0, nullptr, y.data(), counter.data()); },
               {"race: "});
}

// --- Order dependence that is no race ---

__global__ void float_atomics(float* sum, const float* x) {
  atomicAdd(sum, x[blockIdx.x * blockDim.x + threadIdx.x]);
}
__global__ void tickets(int* y, int* counter) {
  y[threadIdx.x] = atomicAdd(counter, 1);
}

TEST(SimtSchedules, ShowWhatDependsOnOrder) {
  std::vector<float> values(256);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0F / static_cast<float>(i + 1);
  const DeviceArray<float> x(values);
  std::vector<std::vector<float>> sums;
  std::vector<std::vector<int>> orders;
  for (const uint64_t seed : {0, 1, 2, 1}) {
    set_schedule(seed);
    const DeviceArray<float> sum(std::vector<float>{0});
    launch(float_atomics, 4, 64, 0, nullptr, sum.data(), x.data());
    sums.push_back(sum.values());
    const DeviceArray<int> counter(std::vector<int>{0}), y(64);
    launch(tickets, 1, 64, 0, nullptr, y.data(), counter.data());
    orders.push_back(y.values());
  }
  set_schedule(0);
  EXPECT_EQ(orders[0], numbers<int>(64));
  EXPECT_NE(orders[1], orders[0]);
  EXPECT_NE(orders[2], orders[1]);
  EXPECT_TRUE(sums[1] != sums[0] || sums[2] != sums[0]);
  EXPECT_EQ(orders[3], orders[1]) << "a schedule is repeatable";
  EXPECT_EQ(sums[3], sums[1]);
}

}  // namespace
}  // namespace dsf::simt
