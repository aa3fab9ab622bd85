#include "bench/short_peaks.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"

namespace dsf::bench {

#if defined(DSF_HAS_MULTIVERSION)

namespace {

constexpr int64_t kRounds = 1 << 18;
constexpr int kChains = 12;  // independent sums, as in limits.cpp

using Vector = float __attribute__((vector_size(64)));

// The instructions themselves: no compiler may leave one out, or find a faster way.
#define DSF_RUN(name, instruction)                                        \
  __attribute__((target("avx512f"))) void name() {                        \
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

/// Of work that does `lanes` multiply-adds with an instruction, on all threads: the fastest of
/// nine.
double rate_of(void (*work)(), int lanes) {
  using Clock = std::chrono::steady_clock;
  const int threads = num_threads();
  double fastest = 1e30;
  for (int pass = 0; pass < 9; ++pass) {
    const auto begin = Clock::now();
    parallel_for(threads, 1, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; ++i) work();
    });
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return 2.0 * static_cast<double>(kRounds * kChains * lanes * threads) / fastest;
}

}  // namespace

ShortPeaks measure_short_peaks() {
  ShortPeaks peaks;
  if (__builtin_cpu_supports("avx512bf16")) peaks.bf16 = rate_of(run_bf16, 32);
  if (__builtin_cpu_supports("avx512vnni")) peaks.int8 = rate_of(run_int8, 64);
  return peaks;
}

#else

ShortPeaks measure_short_peaks() {
  return {};
}

#endif

}  // namespace dsf::bench
