// Tensor cores and asynchronous copies: right kernels, and planted faults.
#include "kernels/common/tensor_cores.h"

#include <bit>

#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

using cuda::launch;

/// c [16, 8] += a [16, depth]·b [depth, 8], all row by row, by one warp.
template <bool bf16>
__global__ void product_kernel(float* c, const float* a, const float* b, int depth, bool all) {
  constexpr int kStep = bf16 ? 16 : 8;
  const int group = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = c[(group + i / 2 * 8) * 8 + 2 * t + i % 2];
  for (int k = 0; k < depth; k += kStep) {
    uint32_t left[4], right[2];
    for (int i = 0; i < 4; ++i) {
      const float* row = a + (group + i % 2 * 8) * depth + k;
      left[i] = bf16 ? cuda::pack_bf16(row[2 * t + i / 2 * 8], row[2 * t + i / 2 * 8 + 1])
                     : cuda::to_tf32(row[t + i / 2 * 4]);
    }
    for (int i = 0; i < 2; ++i) {
      const float* column = b + k * 8 + group;
      right[i] = bf16
                     ? cuda::pack_bf16(column[(2 * t + i * 8) * 8], column[(2 * t + i * 8 + 1) * 8])
                     : cuda::to_tf32(column[(t + i * 4) * 8]);
    }
    if (!all && threadIdx.x == 5) return;
    if (bf16) {
      cuda::mma_bf16(d, left, right);
    } else {
      cuda::mma_tf32(d, left, right);
    }
  }
  for (int i = 0; i < 4; ++i) c[(group + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

/// Whole numbers that both formats hold exactly, in no order.
std::vector<float> small_numbers(size_t size, uint32_t factor) {
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i) {
    values[i] = static_cast<float>((i * factor + 3) % 17) - 8;
  }
  return values;
}

template <bool bf16>
void check_product() {
  constexpr int kDepth = 32;
  const std::vector<float> a = small_numbers(size_t{16} * kDepth, 7);
  const std::vector<float> b = small_numbers(size_t{kDepth} * 8, 5), c = small_numbers(16 * 8, 3);
  const DeviceArray<float> a_there(a), b_there(b);
  const auto got = same_in_all_schedules([&] {
    const DeviceArray<float> c_there(c);
    launch(product_kernel<bf16>, 1, 32, 0, nullptr, c_there.data(), a_there.data(), b_there.data(),
           kDepth, true);
    return c_there.values();
  });
  for (size_t row = 0; row < 16; ++row) {
    for (size_t column = 0; column < 8; ++column) {
      float expected = c[row * 8 + column];
      for (size_t k = 0; k < kDepth; ++k) expected += a[row * kDepth + k] * b[k * 8 + column];
      EXPECT_EQ(got[row * 8 + column], expected) << row << ' ' << column;
    }
  }
  expect_fault(
      [&] {
        const DeviceArray<float> c_there(c);
        launch(product_kernel<bf16>, 1, 32, 0, nullptr, c_there.data(), a_there.data(),
               b_there.data(), kDepth, false);
      },
      {"mma_", "of a warp, not by all"});
}

TEST(SimtTensorCores, Tf32) {
  check_product<false>();
}

TEST(SimtTensorCores, Bf16) {
  check_product<true>();
}

TEST(SimtTensorCores, RoundingToTf32) {
  const auto rounded = [](float x) { return std::bit_cast<float>(round_to_tf32(x)); };
  EXPECT_EQ(rounded(1 + 0x1p-10F), 1 + 0x1p-10F);
  EXPECT_EQ(rounded(1 + 0x1p-11F), 1 + 0x1p-10F);  // away from zero
  EXPECT_EQ(rounded(-1 - 0x1p-11F), -1 - 0x1p-10F);
  EXPECT_EQ(rounded(1 + 0x1.8p-12F), 1);
  EXPECT_EQ(rounded(INFINITY), INFINITY);
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), INFINITY);
}

enum class Fault { none, no_wait, no_barrier, overwritten_early, unaligned };

/// y = x, both of 2·32·`rounds` numbers, by way of two buffers of shared memory that are filled
/// while the other is used, each by another thread than the one that reads it.
__global__ void pass_through_kernel(float* y, const float* x, int rounds, Fault fault) {
  DSF_SHARED(float, tile, 2 * 64 + 4);
  const int own = 2 * static_cast<int>(threadIdx.x), other = 62 - own;
  const int shift = fault == Fault::unaligned ? 1 : 0;
  const auto fetch = [&](int round) {
    if (round < rounds) {
      __pipeline_memcpy_async(tile + round % 2 * 64 + own + shift, x + round * 64 + own, 8);
    }
    __pipeline_commit();
  };
  fetch(0);
  for (int round = 0; round < rounds; ++round) {
    if (fault == Fault::overwritten_early || round == 0) fetch(round + 1);
    if (fault != Fault::no_wait) {
      __pipeline_wait_prior(fault == Fault::overwritten_early || round == 0 ? 1 : 0);
    }
    if (fault != Fault::no_barrier) __syncthreads();
    if (fault != Fault::overwritten_early && round > 0) fetch(round + 1);
    for (int i = 0; i < 2; ++i) y[round * 64 + other + i] = tile[round % 2 * 64 + other + i];
  }
}

TEST(SimtAsyncCopies, BuffersInTurn) {
  constexpr int kRounds = 5;
  const std::vector<float> x = numbers<float>(size_t{64} * kRounds);
  const DeviceArray<float> x_there(x);
  const auto run = [&](Fault fault) {
    const DeviceArray<float> y(x.size());
    launch(pass_through_kernel, 1, 32, 0, nullptr, y.data(), x_there.data(), kRounds, fault);
    return y.values();
  };
  EXPECT_EQ(same_in_all_schedules([&] { return run(Fault::none); }), x);
  expect_fault([&] { run(Fault::no_wait); }, {"read of memory that nobody has written", "'tile'"});
  expect_fault([&] { run(Fault::no_barrier); }, {"shared array 'tile'"});
  expect_fault([&] { run(Fault::overwritten_early); }, {"race: ", "shared array 'tile'"});
  expect_fault([&] { run(Fault::unaligned); }, {"misaligned access"});
}

__global__ void padded_kernel(float* y, const float* x, int there) {
  DSF_SHARED(float, tile, 4);
  __pipeline_memcpy_async(tile, x, 16, 16 - static_cast<size_t>(there) * 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  for (int i = 0; i < 4; ++i) y[i] = tile[i];
}

TEST(SimtAsyncCopies, WhatIsNotReadIsZero) {
  const DeviceArray<float> x(std::vector<float>{1, 2, 3}), y(4);
  launch(padded_kernel, 1, 1, 0, nullptr, y.data(), x.data(), 3);
  EXPECT_EQ(y.values(), (std::vector<float>{1, 2, 3, 0}));
  expect_fault([&] { launch(padded_kernel, 1, 1, 0, nullptr, y.data(), x.data(), 4); },
               {"out of bounds: read of 16 bytes"});
}

}  // namespace
}  // namespace dsf::simt
