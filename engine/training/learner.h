#pragma once
// A model with its optimizer: one step at a time, no files, no epochs.
#include <optional>

#include "engine/model/transformer.h"

namespace dsf {

/// Whole sequences as a model learns them: F frames each, and their constant conditioning.
struct Sequences {
  ConstIndexTensor frames;  // [B, F, N]
  ConstTensor cond;         // [B, C]
};

/// How a learner steps. Weights decay as torch.optim.AdamW has it: all parameters do, biases and
/// norms among them. A gradient longer than clip_norm is shortened to it, as
/// torch.nn.utils.clip_grad_norm_ does.
struct LearnerOptions {
  int64_t batch_size = 1;   // the largest batch
  float learning_rate = 0;  // where a step is given no other
  float weight_decay = 0;
  std::optional<float> clip_norm;
  int64_t batches_per_step = 1;  // at most
};

/// What an optimizer step saw.
struct StepResult {
  float loss = 0;           // of its batches, before the step
  float gradient_norm = 0;  // Euclidean, over all parameters, before it is shortened
  bool finite() const;
};

/// Trains by Adam on the mean cross-entropy of the next frame's codes.
/// Of F = Tt + 1 frames upstream's classes predict frames 1 … Tt, each from those before it;
/// StreamingDACTransformer also predicts frame 0, from its start frame.
class Learner {
 public:
  Learner(const ModelConfig& config, const LearnerOptions& options, uint64_t seed);
  /// One that learns as upstream does.
  Learner(const ModelConfig& config, int64_t batch_size, float learning_rate, uint64_t seed);

  /// Adds `share` times the loss and gradient of a batch to the optimizer step under way. Shares in
  /// proportion to the batches' sizes, 1 in sum, make the step that of one batch of all sequences.
  void add_batch(const Context& ctx, const Sequences& batch, float share);
  /// Takes the step of the batches added since the last one. Where the result is not finite the
  /// batches are dropped and no step is taken.
  StepResult take_step(const Context& ctx, float learning_rate);
  /// The step of a single batch, at the options' learning rate.
  StepResult train(const Context& ctx, const Sequences& batch);
  /// The loss of a batch without dropout and without learning.
  float evaluate(const Context& ctx, const Sequences& batch);

  /// Optimizer steps taken.
  int64_t step() const { return step_; }
  void set_step(int64_t step) { step_ = step; }
  uint64_t seed() const { return seed_; }
  const LearnerOptions& options() const { return options_; }
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
  Tensor gradient_sum_;  // empty where a step has one batch
  IndexTensor inputs_, targets_;
  ConstIndexTensor batch_targets_;
  LearnerOptions options_;
  uint64_t seed_;
  int64_t step_ = 0;
  int64_t batches_ = 0;  // of the step under way
  float step_loss_ = 0;  // so far
};

/// Positions in a training sequence of a model: Tt, or Tt + 1 with a start frame.
int64_t training_length(const ModelConfig& config);

}  // namespace dsf
