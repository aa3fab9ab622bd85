#include "bench/limits.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"

namespace dsf::bench {
namespace {

using Clock = std::chrono::steady_clock;

template <class Work>
double fastest_seconds(int passes, const Work& work) {
  double fastest = 1e30;
  for (int i = 0; i < passes; ++i) {
    const auto begin = Clock::now();
    work();
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return fastest;
}

constexpr int64_t kLanes = 16;   // floats in the widest vector
constexpr int64_t kChains = 12;  // independent sums: hide the adder's latency, fit the registers
constexpr int64_t kRounds = 1 << 18;

}  // namespace

/// kRounds · kChains · kLanes multiply-adds on registers.
DSF_MULTIVERSION static float multiply_add(float factor) {
  float sums[kChains][kLanes];
  for (int64_t chain = 0; chain < kChains; ++chain) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sums[chain][lane] = factor;
  }
  for (int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int64_t chain = 0; chain < kChains; ++chain) {
#pragma omp simd
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        sums[chain][lane] = sums[chain][lane] * factor + 1e-9F;
      }
    }
  }
  float total = 0;
  for (int64_t chain = 0; chain < kChains; ++chain) {
    for (int64_t lane = 0; lane < kLanes; ++lane) total += sums[chain][lane];
  }
  return total;
}

DSF_MULTIVERSION static float read_all(const float* data, int64_t count) {
  constexpr int64_t kSums = 64;
  float sums[kSums] = {};
  for (int64_t i = 0; i + kSums <= count; i += kSums) {
    for (int64_t j = 0; j < kSums; ++j) sums[j] += data[i + j];
  }
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

static volatile float sink;  // keeps the measured loops from being optimised away

double measure_read_bandwidth(int64_t bytes) {
  const int64_t count = bytes / static_cast<int64_t>(sizeof(float));
  const std::vector<float> data(static_cast<size_t>(count), 1.0F);
  const int64_t repeats = std::max<int64_t>(1, (int64_t{64} << 20) / bytes);
  const double seconds = fastest_seconds(9, [&] {
    parallel_for(count, 1024, [&](int64_t begin, int64_t end) {
      for (int64_t r = 0; r < repeats; ++r) sink = read_all(data.data() + begin, end - begin);
    });
  });
  return static_cast<double>(bytes * repeats) / seconds;
}

Limits measure_limits() {
  Limits limits;
  const int threads = num_threads();
  const double seconds = fastest_seconds(9, [&] {
    parallel_for(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sink = multiply_add(0.999F);
    });
  });
  limits.flops = 2.0 * static_cast<double>(kRounds * kChains * kLanes * threads) / seconds;
  limits.bytes = measure_read_bandwidth(int64_t{512} << 20);
  limits.cached_bytes = measure_read_bandwidth(int64_t{256} << 10);
  return limits;
}

double bound_seconds(const Limits& limits, double flops, double bytes) {
  constexpr double kCached = 1 << 20;  // what a repeated call finds in its caches
  const double rate = bytes < kCached ? limits.cached_bytes : limits.bytes;
  return std::max(flops / limits.flops, bytes / rate);
}

}  // namespace dsf::bench
