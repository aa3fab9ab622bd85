// What this machine can do at most: multiply-adds of float32, bf16 and int8, and the bandwidth of
// reading buffers of several sizes. A line each: name, what it is.   limits_bench
#include <fmt/format.h>

#include "bench/limits.h"
#include "kernels/common/parallel.h"

int main() {
  const dsf::bench::Limits limits = dsf::bench::measure_limits();
  const dsf::bench::ShortPeaks peaks = dsf::bench::measure_short_peaks();
  fmt::print("# {} threads\n", dsf::num_threads());
  const auto print_peak = [](const char* name, double rate) {
    if (rate == 0) {
      fmt::print("multiply_add/{} -  # not by this machine's vector units\n", name);
    } else {
      fmt::print("multiply_add/{} {:.0f} G/s\n", name, rate / 1e9);
    }
  };
  print_peak("fp32", limits.flops);
  print_peak("bf16", peaks.bf16);
  print_peak("int8", peaks.int8);
  for (const int64_t kilobytes : {256, 4096, 32768, 65536, 524288}) {
    fmt::print("read/{}_KiB {:.1f} GB/s\n", kilobytes,
               dsf::bench::measure_read_bandwidth(kilobytes << 10) / 1e9);
  }
  return 0;
}
