#pragma once
// StreamingDACTransformer frame by frame: constant time and memory per frame, without end.
#include "engine/model/arena.h"
#include "engine/model/parameters.h"
#include "kernels/decode_step/decode_step.h"
#include "kernels/stored_linear/stored_linear.h"

namespace dsf {

/// Runs decode_step for `batch` streams on a context's device.
class CachedDecoder {
 public:
  /// `weights` is flat, laid out by `table`, in the host's memory. On the CPU it is used where it
  /// lies, and must outlive the decoder; on a GPU the decoder has its own copy. `composed`: frames
  /// are always compositions of ops (decode_step_composed). `format`: what a frame's matrices are
  /// kept in, of which the decoder then has a copy; on a GPU float32 alone.
  CachedDecoder(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                int64_t batch, const Context& ctx = {}, bool composed = false,
                WeightFormat format = WeightFormat::fp32);

  /// Conditioning of the frames from now on, in the host's memory: cond [1, C] for all streams or
  /// [B, C]. The FiLM factors are computed here, once per distinct conditioning, not per frame.
  void set_conditioning(ConstTensor cond);

  /// logits [B, N·V] of the frame after `tokens` [B, N], both on the device; valid until the next
  /// call. Runs `step`, advances `device_frame` and counts.
  Tensor forward(ConstIndexTensor tokens);

  // By themselves, for a generator that records a frame's work (`step`, what it does with the
  // logits, and that device_frame() is advanced) and has it done again and again, counting on the
  // host each time.
  Tensor step(ConstIndexTensor tokens);
  /// The number of frames where a GPU reads it; empty on the CPU, which reads what the host counts.
  TensorView<int64_t> device_frame() const { return device_frame_; }
  void count_frame() { ++frame_; }
  /// How many frames were before, as ops read it.
  Counter frame() const;

  /// Forgets all frames; the next one has position `first_position`.
  void reset(int64_t first_position = 0);

  int64_t position() const { return first_position_ + frame_; }
  const Arena& arena() const { return arena_; }

 private:
  struct FilmLayer {  // where a layer's γ and β come from and go to
    ConstTensor weight, bias;
    Tensor rows;
  };

  Context ctx_;
  Arena arena_;
  std::vector<StoredWeights> stored_;  // in another format than float32
  DecodeStepModel model_;
  DecodeStepScratch scratch_;
  ConstTensor hidden_w_, hidden_b_, embedding_w_, embedding_b_;
  Tensor device_cond_, hidden_, embedding_, logits_;
  std::vector<FilmLayer> films_;  // gamma1, beta1, gamma2, beta2 of each layer
  std::vector<float> cond_;       // the conditioning that the factors are of
  bool composed_;
  int64_t first_position_ = 0, frame_ = 0;
  TensorView<int64_t> device_frame_;
};

}  // namespace dsf
