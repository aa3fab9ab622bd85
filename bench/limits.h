#pragma once
// What this machine can do at most, measured now: every bench states its share of these.
#include <cstdint>

namespace dsf::bench {

struct Limits {
  double flops = 0;         // fp32 multiply-adds count two, per second, all threads
  double bytes = 0;         // read per second from a buffer far larger than the caches
  double cached_bytes = 0;  // read per second from a buffer that fits a core's own cache
};

/// Measures for about a second; the fastest of several passes counts.
Limits measure_limits();

/// The same of numbers shorter than float32, whose sums are float32 or int32; 0 where the machine's
/// vector units, or the compiler, lack the instruction. Tiles (AMX) are not measured.
struct ShortPeaks {
  double bf16 = 0;  // AVX512-BF16
  double int8 = 0;  // AVX512-VNNI
};
ShortPeaks measure_short_peaks();

/// Read bandwidth, bytes per second, for a buffer of `bytes` that is read again and again.
double measure_read_bandwidth(int64_t bytes);

/// The shortest time that work of so many operations and bytes can take on this machine: whichever
/// limit binds. Up to a megabyte counts as found in the caches, as a repeated call finds it.
double bound_seconds(const Limits& limits, double flops, double bytes);

}  // namespace dsf::bench
