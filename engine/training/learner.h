#pragma once
// A model with its optimizer: one step at a time, no files, no epochs.
#include "engine/model/transformer.h"

namespace dsf {

/// Whole sequences as a model learns them: F frames each, and their constant conditioning.
struct Sequences {
  ConstIndexTensor frames;  // [B, F, N]
  ConstTensor cond;         // [B, C]
};

/// What an optimizer step saw.
struct StepResult {
  float loss = 0;           // of the batch, before the step
  float gradient_norm = 0;  // Euclidean, over all parameters
  bool finite() const;
};

/// Trains by Adam on the mean cross-entropy of the next frame's codes.
/// Of F = Tt + 1 frames upstream's classes predict frames 1 … Tt, each from those before it;
/// StreamingDACTransformer also predicts frame 0, from its start frame.
class Learner {
 public:
  Learner(const ModelConfig& config, int64_t batch_size, float learning_rate, uint64_t seed);

  /// One optimizer step. Where the result is not finite no step is taken.
  StepResult train(const Context& ctx, const Sequences& batch);
  /// The loss of a batch without dropout and without learning.
  float evaluate(const Context& ctx, const Sequences& batch);

  /// Optimizer steps taken.
  int64_t step() const { return step_; }
  void set_step(int64_t step) { step_ = step; }
  uint64_t seed() const { return seed_; }
  Transformer& model() { return model_; }
  const Transformer& model() const { return model_; }
  /// Adam's moments, laid out like the weights.
  Tensor first_moments() const { return first_moments_; }
  Tensor second_moments() const { return second_moments_; }
  /// Bytes held: parameters, their gradients and moments, activations, scratch.
  int64_t bytes() const { return model_.arena().bytes() + arena_.bytes(); }

 private:
  Batch prepare(const Sequences& batch);

  Transformer model_;
  Arena arena_;
  Tensor first_moments_, second_moments_, loss_, losses_, norm_, norm_blocks_;
  IndexTensor inputs_, targets_;
  ConstIndexTensor batch_targets_;
  float learning_rate_;
  uint64_t seed_;
  int64_t step_ = 0;
};

/// Positions in a training sequence of a model: Tt, or Tt + 1 with a start frame.
int64_t training_length(const ModelConfig& config);

}  // namespace dsf
