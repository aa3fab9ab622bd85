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
constexpr int64_t kRounds = 1 << 20;  // milliseconds: threads begin within some microseconds

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

/// Operations per second of `work` on all threads, which does kRounds · kChains · `lanes`
/// multiply-adds.
template <class Work>
static double peak_of(int64_t lanes, const Work& work) {
  const int threads = num_threads();
  const double seconds = fastest_seconds(9, [&] {
    parallel_for(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) work();
    });
  });
  return 2.0 * static_cast<double>(kRounds * kChains * lanes * threads) / seconds;
}

#if defined(DSF_HAS_MULTIVERSION)

using Vector = float __attribute__((vector_size(64)));

// The instructions themselves: no compiler may leave one out, or find a faster way.
#define DSF_RUN(name, instruction)                                        \
  __attribute__((target("avx512f"))) static void name() {                 \
    Vector sums[kChains] = {};                                            \
    const Vector zeros = {};                                              \
    for (int64_t round = 0; round < kRounds; ++round) {                   \
      _Pragma("GCC unroll 12") for (Vector & sum : sums) {                \
        asm volatile(instruction " %1, %1, %0" : "+v"(sum) : "v"(zeros)); \
      }                                                                   \
    }                                                                     \
  }
DSF_RUN(run_bf16, "vdpbf16ps")
DSF_RUN(run_int8, "vpdpbusd")
#undef DSF_RUN

ShortPeaks measure_short_peaks() {
  ShortPeaks peaks;
  if (__builtin_cpu_supports("avx512bf16")) peaks.bf16 = peak_of(2 * kLanes, run_bf16);
  if (__builtin_cpu_supports("avx512vnni")) peaks.int8 = peak_of(4 * kLanes, run_int8);
  return peaks;
}

#else

ShortPeaks measure_short_peaks() {
  return {};
}

#endif

Limits measure_limits() {
  Limits limits;
  limits.flops = peak_of(kLanes, [] { sink = multiply_add(0.999F); });
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
