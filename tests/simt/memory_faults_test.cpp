// Planted faults of memory: each must be found, and said with its place.
#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

using cuda::launch;

constexpr int kWrite = __LINE__ + 2;
__global__ void write_at(float* x, int64_t index) {
  if (threadIdx.x == 3) x[index] = 1;
}
__global__ void read_at(float* y, const float* x, int64_t index) {
  y[threadIdx.x] = x[threadIdx.x + index];
}

TEST(SimtMemory, WriteBehindTheEnd) {
  const DeviceArray<float> x(63);
  launch(write_at, 1, 32, 0, nullptr, x.data(), 62);
  expect_fault([&] { launch(write_at, 2, 32, 0, nullptr, x.data(), 63); },
               {"out of bounds: write of 4 bytes, 0 bytes behind the end of device buffer",
                "(of 252 bytes)", "write_at", fmt::format("memory_faults_test.cpp:{}", kWrite),
                "launched at", "block (", ", 0, 0), thread (3, 0, 0)"});
}

TEST(SimtMemory, ReadBeforeTheBeginning) {
  const DeviceArray<float> x(numbers<float>(64)), y(32);
  expect_fault([&] { launch(read_at, 1, 32, 0, nullptr, y.data(), x.data(), -1); },
               {"out of bounds: read of 4 bytes", "thread (0, 0, 0)", "read_at"});
  expect_fault([&] { launch(read_at, 1, 32, 0, nullptr, y.data(), x.data(), 33); },
               {"out of bounds: read of 4 bytes, 0 bytes behind", "thread (31, 0, 0)"});
}

TEST(SimtMemory, PartlyBehindTheEnd) {
  const DeviceArray<float> x(7);
  expect_fault(
      [&] {
        launch(
            +[](float* p) { *reinterpret_cast<double*>(p + 6) = 1; }, 1, 1, 0, nullptr, x.data());
      },
      {"out of bounds: write of 8 bytes, byte 24 of device buffer", "(of 28 bytes)"});
}

TEST(SimtMemory, UseAfterFree) {
  float* freed = nullptr;
  {
    const DeviceArray<float> x(8);
    freed = x.data();
  }
  expect_fault([&] { launch(write_at, 1, 32, 0, nullptr, freed, 0); },
               {"out of bounds", "which was freed"});
}

TEST(SimtMemory, HostMemoryIsNotTheDevices) {
  float of_host = 0;
  expect_fault([&] { launch(write_at, 1, 32, 0, nullptr, &of_host, 0); },
               {"write of 4 bytes", "not memory of the device"});
  const DeviceArray<float> y(32);
  expect_fault([&] { launch(read_at, 1, 32, 0, nullptr, y.data(), &of_host, 0); },
               {"read of 4 bytes", "not memory of the device"});
  expect_fault([&] { launch(write_at, 1, 32, 0, nullptr, nullptr, 0); }, {"thread (3, 0, 0)"});
}

TEST(SimtMemoryDeathTest, DeviceMemoryIsNotTheHosts) {
  const DeviceArray<float> x(numbers<float>(8));
  EXPECT_DEATH(x.data()[3] = 1, "the host touched memory of the simulated device: byte 12 of");
}

__global__ void deep(float* y, int depth) {
  volatile float local[16 * 1024];
  for (int i = 0; i < depth; ++i) local[i] = 1;
  y[0] = local[depth - 1];
}

TEST(SimtMemoryDeathTest, StackOverflow) {
  const DeviceArray<float> y(1);
  EXPECT_DEATH(launch(deep, 1, 1, 0, nullptr, y.data(), 16 * 1024), "stack overflowed");
}

TEST(SimtMemory, CopiesStayInside) {
  const DeviceArray<float> x(numbers<float>(8));
  float host[16] = {};
  expect_fault([&] { cudaMemcpyAsync(host, x.data(), 36, cudaMemcpyDeviceToHost, nullptr); },
               {"copy of 36 bytes, byte 0 of device buffer", "(of 32 bytes)"});
  expect_fault([&] { cudaMemcpyAsync(x.data(), x.data(), 4, cudaMemcpyHostToDevice, nullptr); },
               {"memory of the device, not of the host"});
  expect_fault([&] { cudaMemcpyAsync(host, host, 4, cudaMemcpyDeviceToHost, nullptr); },
               {"not memory of the device"});
  expect_fault([&] { cudaFree(x.data() + 1); }, {"cudaFree of", "inside device buffer"});
}

__global__ void shared_at(int index) {
  DSF_SHARED(float, tile, 33);
  tile[index] = 1;
}

TEST(SimtMemory, BehindASharedArray) {
  launch(shared_at, 1, 1, 0, nullptr, 32);
  expect_fault([] { launch(shared_at, 1, 1, 0, nullptr, 33); },
               {"out of bounds", "0 bytes behind the end of shared array 'tile' (of 132 bytes)",
                "shared_at"});
  expect_fault([] { launch(shared_at, 1, 1, 0, nullptr, -1); }, {"out of bounds"});
}

__global__ void dynamic_at(int index) {
  cuda::dynamic_shared<float>(16)[index] = 1;
}

TEST(SimtMemory, BehindDynamicSharedMemory) {
  launch(dynamic_at, 1, 1, 116, nullptr, 24);
  expect_fault([] { launch(dynamic_at, 1, 1, 116, nullptr, 25); },
               {"out of bounds", "behind the end of dynamic shared memory (of 116 bytes)"});
  expect_fault([] { launch(dynamic_at, 1, 1, 0, nullptr, 0); }, {"the launch asks for none"});
}

__global__ void vector_at(float* y, const float* x, int64_t offset) {
  const float4 values = *reinterpret_cast<const float4*>(x + offset);
  y[0] = values.x + values.y + values.z + values.w;
}

TEST(SimtMemory, MisalignedVector) {
  const DeviceArray<float> x(numbers<float>(12)), y(1);
  launch(vector_at, 1, 1, 0, nullptr, y.data(), x.data(), 4);
  EXPECT_EQ(y.values()[0], 22);
  for (const int64_t offset : {1, 2, 3}) {
    expect_fault([&] { launch(vector_at, 1, 1, 0, nullptr, y.data(), x.data(), offset); },
                 {"misaligned access", "multiple of 16 bytes", "vector_at"});
  }
}

TEST(SimtMemory, ReadOfWhatNobodyWrote) {
  const DeviceArray<float> x(64), y(32);
  expect_fault([&] { launch(read_at, 1, 32, 0, nullptr, y.data(), x.data(), 0); },
               {"read of memory that nobody has written", "read_at"});
  cudaMemsetAsync(x.data(), 0, 33 * sizeof(float), nullptr);
  launch(read_at, 1, 32, 0, nullptr, y.data(), x.data(), 1);
  expect_fault([&] { launch(read_at, 1, 32, 0, nullptr, y.data(), x.data(), 2); },
               {"byte 132 of device buffer", "thread (31, 0, 0)"});
}

TEST(SimtMemory, CopyOfWhatNobodyWrote) {
  const DeviceArray<float> x(64);
  launch(write_at, 1, 32, 0, nullptr, x.data(), 0);
  expect_fault([&] { x.values(); }, {"nobody has written byte 4 of device buffer"});
}

__global__ void read_shared(float* y) {
  DSF_SHARED(float, tile, 2);
  if (blockIdx.x == 0) tile[1] = 1;
  y[blockIdx.x] = tile[1];
}

// What the block before left in shared memory is gone.
TEST(SimtMemory, SharedMemoryOfEveryBlockIsNew) {
  const DeviceArray<float> y(2);
  launch(read_shared, 1, 1, 0, nullptr, y.data());
  expect_fault([&] { launch(read_shared, 2, 1, 0, nullptr, y.data()); },
               {"nobody has written", "byte 4 of shared array 'tile'", "block (1, 0, 0)"});
}

__global__ void expose_local(float** y) {
  float local = 1;
  if (threadIdx.x == 0) y[0] = &local;
  __syncthreads();
  if (threadIdx.x == 1) *y[0] = 2;
  __syncthreads();
}

TEST(SimtMemory, LocalMemoryIsItsThreads) {
  const DeviceArray<float*> y(1);
  expect_fault([&] { launch(expose_local, 1, 2, 0, nullptr, y.data()); },
               {"local memory of thread 0", "thread (1, 0, 0)"});
}

__global__ void nothing() {}
__global__ void much_static() {
  DSF_SHARED(float, first, 6 * 1024);
  DSF_SHARED(float, second, 6 * 1024 + 1);
  first[0] = second[0] = 0;
}
__global__ void full_static() {
  DSF_SHARED(float, first, 12 * 1024);
  first[0] = 0;
}

TEST(SimtLimits, SharedMemory) {
  launch(full_static, 1, 1, 179 * 1024, nullptr);
  launch(nothing, 1, 1, 227 * 1024, nullptr);
  expect_fault([] { launch(nothing, 1, 1, 227 * 1024 + 1, nullptr); },
               {"232449 bytes of dynamic shared memory; limit: 232448"});
  expect_fault([] { launch(much_static, 1, 1, 0, nullptr); },
               {"49156 bytes of static shared memory with 'second'; limit: 49152"});
  expect_fault([] { launch(full_static, 1, 1, 179 * 1024 + 1, nullptr); },
               {"49152 bytes of static and 183297 of dynamic shared memory; limit: 232448"});
}

TEST(SimtLimits, BlocksAndGrids) {
  launch(nothing, 1, dim3(16, 1, 64), 0, nullptr);
  launch(nothing, dim3(1, 65535), 1, 0, nullptr);
  for (const dim3 block : {dim3(1025), dim3(32, 33), dim3(1, 1, 65), dim3(0), dim3(1, 0, 1)}) {
    expect_fault([&] { launch(nothing, 1, block, 0, nullptr); },
                 {"launch at", "threads; limits: 1 to 1024 in all, 64 deep"});
  }
  for (const dim3 grid : {dim3(1, 65536), dim3(1, 1, 65536), dim3(0), dim3(1, 1, 0)}) {
    dsf::testing::expect_error<Error>([&] { launch(nothing, grid, 1, 0, nullptr); },
                                      {"blocks at", "limits: 1 to 2147483647 x 65535 x 65535"});
  }
  dsf::testing::expect_error<Error>([] { launch(nothing, int64_t{1} << 31, 1, 0, nullptr); },
                                    {"2147483648 blocks"});
}

}  // namespace
}  // namespace dsf::simt
