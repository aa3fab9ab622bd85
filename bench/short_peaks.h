#pragma once
// What this machine's vector units do at most with numbers shorter than float32, measured now.

namespace dsf::bench {

/// Multiply-adds, which count two, per second of all threads; sums are float32 or int32. 0 where
/// the machine, or the compiler, lacks the instruction. Tiles (AMX) are not measured.
struct ShortPeaks {
  double bf16 = 0;  // AVX512-BF16
  double int8 = 0;  // AVX512-VNNI
};
ShortPeaks measure_short_peaks();

}  // namespace dsf::bench
