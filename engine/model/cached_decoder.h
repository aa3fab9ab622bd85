#pragma once
// StreamingDACTransformer frame by frame: constant time and memory per frame, without end.
#include "engine/model/arena.h"
#include "engine/model/parameters.h"
#include "kernels/decode_step/decode_step.h"

namespace dsf {

/// Runs decode_step for `batch` streams on weights that it does not own.
class CachedDecoder {
 public:
  /// `weights` is flat, laid out by `table`; both must outlive the decoder.
  CachedDecoder(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                int64_t batch);

  /// Conditioning of the frames from now on: cond [1, C] for all streams or [B, C]. The FiLM
  /// factors are computed here, once per distinct conditioning, not per frame.
  void set_conditioning(const Context& ctx, ConstTensor cond);

  /// logits [B, N·V] of the frame after `tokens` [B, N]; valid until the next call.
  Tensor forward(const Context& ctx, ConstIndexTensor tokens);

  /// Forgets all frames; the next one has position `first_position`.
  void reset(int64_t first_position = 0);

  int64_t position() const { return first_position_ + frame_; }

 private:
  struct FilmLayer {  // where a layer's γ and β come from and go to
    ConstTensor weight, bias;
    Tensor rows;
  };

  Arena arena_;
  DecodeStepModel model_;
  DecodeStepScratch scratch_;
  ConstTensor hidden_w_, hidden_b_, embedding_w_, embedding_b_;
  Tensor hidden_, embedding_, logits_;
  std::vector<FilmLayer> films_;  // gamma1, beta1, gamma2, beta2 of each layer
  std::vector<float> cond_;       // the conditioning that the factors are of
  int64_t first_position_ = 0, frame_ = 0;
};

}  // namespace dsf
