// Correct kernels of the usual kinds: they run, without a false alarm and with the same results in
// every schedule.
#include <algorithm>

#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

using cuda::launch;

__global__ void sum_of_blocks(float* y, const float* x, int size) {
  float sum = 0, largest = -INFINITY;
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < size;
       i += static_cast<int>(gridDim.x * blockDim.x)) {
    sum += x[i];
    largest = fmaxf(largest, x[i]);
  }
  sum = cuda::block_sum(sum);
  largest = cuda::block_max(largest);
  if (threadIdx.x == 0) {
    y[2 * blockIdx.x] = sum;
    y[2 * blockIdx.x + 1] = largest;
  }
}

TEST(SimtKernels, Reductions) {
  const std::vector<float> values = numbers<float>(1000);
  const DeviceArray<float> x(values);
  for (const unsigned threads : {32U, 96U, 1024U}) {
    const auto results = same_in_all_schedules([&] {
      const DeviceArray<float> y(6);
      launch(sum_of_blocks, 3, threads, 0, nullptr, y.data(), x.data(), 1000);
      return y.values();
    });
    EXPECT_EQ(results[0] + results[2] + results[4], 1000 * 999 / 2);
    EXPECT_EQ(std::max({results[1], results[3], results[5]}), 999);
  }
}

constexpr int kTile = 32;
__global__ void transpose(float* y, const float* x, int rows, int cols) {
  DSF_SHARED(float, tile, kTile*(kTile + 1));
  const int column = static_cast<int>(blockIdx.x * kTile + threadIdx.x);
  for (int i = static_cast<int>(threadIdx.y); i < kTile; i += static_cast<int>(blockDim.y)) {
    const int row = static_cast<int>(blockIdx.y) * kTile + i;
    if (row < rows && column < cols) {
      tile[static_cast<unsigned>(i) * (kTile + 1) + threadIdx.x] = x[row * cols + column];
    }
  }
  __syncthreads();
  const int row = static_cast<int>(blockIdx.y * kTile + threadIdx.x);
  for (int i = static_cast<int>(threadIdx.y); i < kTile; i += static_cast<int>(blockDim.y)) {
    const int out = static_cast<int>(blockIdx.x) * kTile + i;
    if (row < rows && out < cols) {
      y[out * rows + row] = tile[threadIdx.x * (kTile + 1) + static_cast<unsigned>(i)];
    }
  }
}

TEST(SimtKernels, TiledTranspose) {
  constexpr int kRows = 70, kCols = 45;
  const DeviceArray<float> x(numbers<float>(kRows * kCols));
  const auto results = same_in_all_schedules([&] {
    const DeviceArray<float> y(kRows * kCols);
    launch(transpose, dim3(2, 3), dim3(kTile, 8), 0, nullptr, y.data(), x.data(), kRows, kCols);
    return y.values();
  });
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kCols; ++c) ASSERT_EQ(results[size_t(c * kRows + r)], r * kCols + c);
  }
}

__global__ void scan(int* y, const int* x) {
  int value = x[threadIdx.x];
  for (unsigned delta = 1; delta < 32; delta *= 2) {
    const int before = __shfl_up_sync(cuda::kAllLanes, value, delta);
    if (threadIdx.x % 32 >= delta) value += before;
  }
  y[threadIdx.x] = value;
}

TEST(SimtKernels, WarpScan) {
  const DeviceArray<int> x(numbers<int>(64));
  const auto results = same_in_all_schedules([&] {
    const DeviceArray<int> y(64);
    launch(scan, 1, 64, 0, nullptr, y.data(), x.data());
    return y.values();
  });
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(results[size_t(i)], i < 32 ? i * (i + 1) / 2 : i * (i + 1) / 2 - 496);
  }
}

__global__ void shuffles(int* y) {
  const int lane = static_cast<int>(threadIdx.x);
  int* mine = y + lane * 8;
  mine[0] = __shfl_sync(cuda::kAllLanes, lane, lane + 1);  // counts round the warp
  mine[1] = __shfl_sync(cuda::kAllLanes, lane, 3, 8);
  mine[2] = __shfl_xor_sync(cuda::kAllLanes, lane, 5);
  mine[3] = __shfl_down_sync(cuda::kAllLanes, lane, 3, 16);
  mine[4] = __shfl_up_sync(cuda::kAllLanes, lane, 2, 8);
  mine[5] = static_cast<int>(__ballot_sync(cuda::kAllLanes, lane % 3 == 0));
  mine[6] = __any_sync(cuda::kAllLanes, lane == 31) + 2 * __any_sync(cuda::kAllLanes, 0);
  mine[7] = __all_sync(cuda::kAllLanes, lane < 32) + 2 * __all_sync(cuda::kAllLanes, lane < 31);
}

TEST(SimtKernels, ShufflesAndVotes) {
  const auto results = same_in_all_schedules([&] {
    const DeviceArray<int> y(32 * 8);
    launch(shuffles, 1, 32, 0, nullptr, y.data());
    return y.values();
  });
  for (int lane = 0; lane < 32; ++lane) {
    const std::vector<int> expected{(lane + 1) % 32,
                                    lane / 8 * 8 + 3,
                                    lane ^ 5,
                                    lane % 16 + 3 < 16 ? lane + 3 : lane,
                                    lane % 8 >= 2 ? lane - 2 : lane,
                                    0x49249249,
                                    1,
                                    1};
    const auto* mine = results.data() + lane * 8;
    EXPECT_EQ(std::vector<int>(mine, mine + 8), expected) << "lane " << lane;
  }
}

// Lanes that have left a loop take no part in what the others still do.
__global__ void divergent_loop(int* y) {
  unsigned active = cuda::kAllLanes;
  int rounds = 0;
  for (bool again = true; again; ++rounds) {
    again = rounds < static_cast<int>(threadIdx.x);
    active = __ballot_sync(active, again);
  }
  y[threadIdx.x] = rounds;
}

TEST(SimtKernels, MasksThatShrink) {
  const auto results = same_in_all_schedules([&] {
    const DeviceArray<int> y(32);
    launch(divergent_loop, 1, 32, 0, nullptr, y.data());
    return y.values();
  });
  for (int i = 0; i < 32; ++i) EXPECT_EQ(results[size_t(i)], i + 1);
}

// Warps take turns with one shared word: written, read by all lanes, written again.
__global__ void broadcast(int* y) {
  DSF_SHARED(int, word, 2);
  const unsigned warp = threadIdx.x / 32;
  int sum = 0;
  for (int round = 0; round < 4; ++round) {
    if (threadIdx.x % 32 == static_cast<unsigned>(round)) word[warp] = round + 1;
    __syncwarp();
    sum += word[warp];
    __syncwarp();
  }
  __syncthreads();
  y[threadIdx.x] = sum + word[warp ^ 1U];
}

TEST(SimtKernels, WarpBarriersOrderTheirLanes) {
  const auto results = same_in_all_schedules([&] {
    const DeviceArray<int> y(64);
    launch(broadcast, 1, 64, 0, nullptr, y.data());
    return y.values();
  });
  EXPECT_EQ(results, std::vector<int>(64, 14));
}

// The barrier that counts orders the block as the plain one does.
__global__ void counting_barrier(int* y, int below) {
  DSF_SHARED(int, word, 1);
  if (threadIdx.x == 0) word[0] = 5;
  const int first = __syncthreads_count(static_cast<int>(threadIdx.x) < below);
  const int seen = word[0];
  const int second = __syncthreads_count(threadIdx.x % 2 == 0 ? 4 : 0);
  y[threadIdx.x] = first * 1000 + second * 10 + seen;
}

TEST(SimtKernels, BarriersThatCount) {
  for (const int below : {0, 1, 50, 96}) {
    const auto results = same_in_all_schedules([&] {
      const DeviceArray<int> y(96);
      launch(counting_barrier, 1, 96, 0, nullptr, y.data(), below);
      return y.values();
    });
    EXPECT_EQ(results, std::vector<int>(96, below * 1000 + 48 * 10 + 5));
  }
}

__global__ void histogram(int* counts, unsigned* extremes, const int* x) {
  DSF_SHARED(int, of_block, 8);
  if (threadIdx.x < 8) of_block[threadIdx.x] = 0;
  __syncthreads();
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(of_block + x[i] % 8, 1);
  atomicMax(extremes, static_cast<unsigned>(x[i]));
  atomicMin(extremes + 1, static_cast<unsigned>(x[i]));
  atomicOr(extremes + 2, 1U << x[i] % 8);
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(counts + threadIdx.x, of_block[threadIdx.x]);
}

TEST(SimtKernels, Atomics) {
  const DeviceArray<int> x(numbers<int>(320));
  same_in_all_schedules([&] {
    const DeviceArray<int> counts(std::vector<int>(8, 0));
    const DeviceArray<unsigned> extremes(std::vector<unsigned>{0, 1000, 0});
    launch(histogram, 5, 64, 0, nullptr, counts.data(), extremes.data(), x.data());
    EXPECT_EQ(extremes.values(), (std::vector<unsigned>{319, 0, 0xFF}));
    EXPECT_EQ(counts.values(), std::vector<int>(8, 40));
    return counts.values();
  });
}

__global__ void lock(int* state, int* next) {
  const int old = atomicCAS(state, 0, static_cast<int>(threadIdx.x) + 1);
  if (old == 0) atomicExch(next, 7);
}

TEST(SimtKernels, CompareAndSwapLetsOneIn) {
  const DeviceArray<int> state(std::vector<int>{0}), next(std::vector<int>{0});
  launch(lock, 4, 32, 0, nullptr, state.data(), next.data());
  EXPECT_GT(state.values()[0], 0);
  EXPECT_EQ(next.values()[0], 7);
}

__global__ void places(int* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned i = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
  y[i] = static_cast<int>(i);
}

TEST(SimtKernels, GridsOfTwoAndThreeDimensions) {
  for (const auto& [grid, block] : {std::pair{dim3(3, 2), dim3(5, 4)},
                                    {dim3(2, 3, 4), dim3(3, 5, 7)},
                                    {dim3(1, 1, 9), dim3(1, 1, 64)}}) {
    const dim3 blocks = grid, threads = block;  // clang lets no lambda have a structured binding
    const size_t size = size_t{grid.x} * grid.y * grid.z * block.x * block.y * block.z;
    const auto results = same_in_all_schedules([&] {
      const DeviceArray<int> y(size);
      launch(places, blocks, threads, 0, nullptr, y.data());
      return y.values();
    });
    EXPECT_EQ(results, numbers<int>(size));
  }
}

__global__ void rotate(float* y, const float* x) {
  auto* first = cuda::dynamic_shared<float>();
  auto* second = cuda::dynamic_shared<int>(blockDim.x * sizeof(float));
  first[threadIdx.x] = x[threadIdx.x];
  second[threadIdx.x] = static_cast<int>((threadIdx.x + 1) % blockDim.x);
  __syncthreads();
  y[threadIdx.x] = first[second[blockDim.x - 1 - threadIdx.x]];
}

TEST(SimtKernels, DynamicSharedMemory) {
  const DeviceArray<float> x(numbers<float>(100));
  const auto results = same_in_all_schedules([&] {
    const DeviceArray<float> y(100);
    launch(rotate, 1, 100, 800, nullptr, y.data(), x.data());
    return y.values();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results[size_t(i)], (100 - i) % 100);
}

struct Parameters {
  float factor;
  int offsets[3];
};
__global__ void vectors(float* y, const float* x, Parameters parameters) {
  cuda::Vector<4> values = cuda::load<4>(x + 4 * threadIdx.x);
  for (int k = 0; k < 4; ++k) {
    values[k] = values[k] * parameters.factor + static_cast<float>(parameters.offsets[k % 3]);
  }
  cuda::store(y + 4 * threadIdx.x, values);
}

TEST(SimtKernels, VectorsAndParameters) {
  const DeviceArray<float> x(numbers<float>(32)), y(32);
  launch(vectors, 1, 8, 0, nullptr, y.data(), x.data(), Parameters{2, {0, 100, 200}});
  const auto results = y.values();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(results[size_t(i)], 2 * i + i % 4 % 3 * 100);
}

__global__ void to_small(__nv_bfloat16* y, const float* x) {
  y[threadIdx.x] = __float2bfloat16(x[threadIdx.x]);
}
__global__ void from_small(float* y, const __nv_bfloat162* x) {
  const __nv_bfloat162 pair = x[threadIdx.x];
  y[2 * threadIdx.x] = __low2float(pair);
  y[2 * threadIdx.x + 1] = __high2float(pair);
}

TEST(SimtKernels, ArraysOfBf16) {
  const DeviceArray<float> x(numbers<float>(64)), back(64);
  const DeviceArray<__nv_bfloat16> small(64);
  launch(to_small, 1, 64, 0, nullptr, small.data(), x.data());
  launch(from_small, 1, 32, 0, nullptr, back.data(),
         reinterpret_cast<const __nv_bfloat162*>(small.data()));
  EXPECT_EQ(back.values(), x.values());
}

// A launch that met a fault leaves nothing behind.
__global__ void stop_some(float* y, bool fault) {
  DSF_SHARED(float, tile, 64);
  tile[threadIdx.x] = 1;
  __syncthreads();
  if (fault && threadIdx.x == 40) y[1000] = 1;
  y[threadIdx.x] = tile[threadIdx.x ^ 63U];
}

TEST(SimtKernels, RunAfterAFault) {
  const DeviceArray<float> y(64);
  for (int i = 0; i < 3; ++i) {
    expect_fault([&] { launch(stop_some, 1, 64, 0, nullptr, y.data(), true); }, {"out of bounds"});
    launch(stop_some, 1, 64, 0, nullptr, y.data(), false);
    EXPECT_EQ(y.values(), std::vector<float>(64, 1));
  }
}

}  // namespace
}  // namespace dsf::simt
