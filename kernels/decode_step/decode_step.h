#pragma once
// One generated frame through the whole of StreamingDACTransformer, for B streams at once, with the
// keys and values of earlier frames kept in rings:
//   x = embedding(tokens)
//   per layer:  x += out(attention(qkv(FiLM1(LN(x)))));  x += FFN(FiLM2(LN(x)))
//   logits = head(LN(x))
// The same numbers as the banded training forward at that position. Forward only. It is the
// composition of the other ops, on any backend. Of few streams a CPU's threads go through a frame
// together, and a GPU does it in a launch or two, whose products are in float32 whatever the
// context's precision.
#include <algorithm>
#include <vector>

#include "kernels/common/counter.h"
#include "kernels/common/dispatch.h"
#include "kernels/common/weight_matrix.h"

namespace dsf {

/// A layer's weights ([out, in], in any format on the CPU) and biases, its FiLM factors for the
/// current conditioning (R rows: 1 for all streams, or B), and its rings.
struct DecodeStepLayer {
  WeightMatrix in_w;  // [3E, E]: queries, keys, values
  ConstTensor in_b;
  WeightMatrix out_w;  // [E, E]
  ConstTensor out_b;
  WeightMatrix expand_w;  // [X·E, E]
  ConstTensor expand_b;
  WeightMatrix reduce_w;  // [E, X·E]
  ConstTensor reduce_b;
  ConstTensor gamma1, beta1;  // [R, E]
  ConstTensor gamma2, beta2;  // [R, E]
  Tensor keys, values;        // [W, B, E], W = lookback + 1; keys already rotated
};

struct DecodeStepModel {
  int64_t heads = 1;
  ConstTensor embedding;  // [N, V+1, E/N]
  std::vector<DecodeStepLayer> layers;
  ConstTensor norm_w, norm_b;  // [E]
  WeightMatrix head_w;         // [N·V, E]
  ConstTensor head_b;          // [N·V]
};

/// Buffers that a step works in; nothing in them outlives it.
struct DecodeStepScratch {
  Tensor x, normed, modulated, query, key, value, mixed, branch;  // [B, E]
  Tensor hidden;                                                  // [B, X·E]
  Tensor mean, rstd;                                              // [B]
  Tensor rope_first, rope_second;  // [1, F], F = floor(head size / 2)
  Tensor exchange;                 // [decode_step_exchange(…)], for the form of one launch alone
};

/// The streams that one launch takes; those of more follow each other.
inline constexpr int64_t kDecodeStepStreams = 4;

/// How many numbers the blocks of one launch hand to each other: in each layer attention's inputs,
/// what comes of its parts, two branches in parts, and the hidden state; with room to align them.
constexpr int64_t decode_step_exchange(int64_t streams, int64_t embed, int64_t heads,
                                       int64_t hidden, int64_t layers) {
  const int64_t at_once = std::min(streams, kDecodeStepStreams);
  return layers * (at_once * ((3 + 4 + 2 * 4) * embed + 2 * 4 * heads + hidden) + 8 * 4);
}

/// logits [B, N·V] of the frame after `tokens` [B, N]. `frame` counts the steps since the rings
/// were empty (this one's keys go to slot frame mod W); `position` is what the rotary angles are
/// computed from, in double precision.
void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                         const DecodeStepModel& model, const DecodeStepScratch& scratch,
                         Counter frame, Counter position);

/// The same as the composition, wherever it runs.
void decode_step_composed(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                          const DecodeStepModel& model, const DecodeStepScratch& scratch,
                          Counter frame, Counter position);

namespace cpu {
/// The form for few streams, whose time is that of reading weights: all threads go through a frame
/// together (common/team.h), and each reads its rows of every matrix, once.
bool fuses_decode_step(int64_t streams);
void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                         const DecodeStepModel& model, const DecodeStepScratch& scratch,
                         Counter frame, Counter position);
}  // namespace cpu

namespace cuda {
/// The form of one launch (as with other ops null where no CUDA form is linked), and whether it
/// takes a step of so many streams: where it does not, what is wanted is composed. Codes out of
/// range give NaN.
[[gnu::weak]] bool fuses_decode_step(const DecodeStepModel& model, int64_t streams);
[[gnu::weak]] void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                                       const DecodeStepModel& model,
                                       const DecodeStepScratch& scratch, Counter frame,
                                       Counter position);
}  // namespace cuda

}  // namespace dsf
