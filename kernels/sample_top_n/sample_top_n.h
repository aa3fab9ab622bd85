#pragma once
// Draws one index per row from the softmax over its n largest logits.
#include "kernels/common/dispatch.h"
#include "kernels/common/random.h"

namespace dsf {

struct SampleSettings {
  int64_t top_n = 100;    // 1: the largest; V or more: all
  float temperature = 1;  // logits are divided by it
};

/// Row r of logits [R, V] gives tokens[r]: of the top_n largest logits (of equal ones the lower
/// index first) exp(logit/temperature) are weights, and in falling order the first whose running
/// sum exceeds u·total is drawn, u uniform in [0, 1) from word 0 of block r of `stream`. A NaN, an
/// infinity of either sign, top_n < 1 and temperature ≤ 0 are Errors; on a GPU, which cannot raise
/// one over what it finds in a row, the token of a row with a NaN or an infinity is −1.
DSF_OP(void sample_top_n(const Context& ctx, IndexTensor tokens, ConstTensor logits,
                         const SampleSettings& settings, const RandomStream& stream))

}  // namespace dsf
