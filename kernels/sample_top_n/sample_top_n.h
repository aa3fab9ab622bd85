#pragma once
// Draws one index per row from the softmax over its n largest logits, or over those of them that
// are likely enough beside the largest (min-p: Nguyen et al., "Turning Up the Heat", 2024).
#include "kernels/common/counter.h"
#include "kernels/common/dispatch.h"
#include "kernels/common/random.h"

namespace dsf {

inline constexpr int64_t kMaxTopN = 65'536;  // tokens of files have 16 bits

struct SampleSettings {
  int64_t top_n = 100;    // 1: the largest; V or more: all
  float temperature = 1;  // logits are divided by it
  float min_p = 0;        // 0 to 1: what is less likely than that times the likeliest is left out

  bool operator==(const SampleSettings&) const = default;
};

/// Where rows get their random numbers. Of S streams each has R/S rows: row r draws from word 0 of
/// block r mod (R/S) of stream {seed r / (R/S), purpose, step}.
struct SampleStreams {
  ConstIndexTensor seeds;  // [S, 2], the lower and the upper half of each
  uint32_t purpose = 0;
  Counter step = 0;
};

/// Seed `index` of seeds [S, 2]; where ops run.
R123_CUDA_DEVICE DSF_INLINE uint64_t seed_at(const int32_t* seeds, int64_t index) {
  return static_cast<uint32_t>(seeds[2 * index]) |
         static_cast<uint64_t>(static_cast<uint32_t>(seeds[2 * index + 1])) << 32;
}

/// Row r of logits [R, V] gives tokens[r]: of the top_n largest logits (of equal ones the lower
/// index first) exp((logit − largest)/temperature) are weights, those below min_p excepted, and in
/// falling order the first whose running sum exceeds u·total is drawn, u uniform in [0, 1) as
/// `streams` says. A NaN, an infinity of either sign, top_n < 1, temperature ≤ 0 and a min_p
/// outside [0, 1] are Errors; on a GPU, which cannot raise one over what it finds in a row, the
/// token of a row with a NaN or an infinity is −1.
DSF_OP(void sample_top_n(const Context& ctx, IndexTensor tokens, ConstTensor logits,
                         const SampleSettings& settings, const SampleStreams& streams))

}  // namespace dsf
