#pragma once
// A model with its optimizer: one step at a time, no files, no epochs.
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/transformer.h"
#include "engine/training/sequence_source.h"
#include "kernels/adam/adam.h"
#include "kernels/common/counter.h"
#include "kernels/common/graph.h"

namespace dsf {

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

/// One of the batches that an optimizer step is made of. Shares in proportion to the batches'
/// sizes, 1 in sum, make the step that of one batch of all sequences.
struct StepBatch {
  Sequences sequences;
  float share = 1;
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
  /// Learns on the context's device, where all that it holds is. Where there is not so much memory:
  /// an Error that says how much is needed.
  Learner(const ModelConfig& config, const LearnerOptions& options, uint64_t seed,
          const Context& ctx = {});
  /// One that learns as upstream does.
  Learner(const ModelConfig& config, int64_t batch_size, float learning_rate, uint64_t seed,
          const Context& ctx = {});

  /// What bytes() of such a learner would be, without its memory.
  static int64_t bytes_needed(const ModelConfig& config, const LearnerOptions& options,
                              const Context& ctx = {});

  /// Queues an optimizer step; on the CPU it is done when this returns. A step whose loss or
  /// gradient is not finite is not taken, nor are those queued after it.
  void queue_step(std::span<const StepBatch> batches, float learning_rate);
  /// How many steps may be queued before they must be finished: 1 on the CPU.
  int64_t queue_capacity() const;
  /// Waits for the steps that are queued and gives what they saw, up to the first that was not
  /// taken; the learner is then as it was before that one.
  std::vector<StepResult> finish_steps();
  /// One step of one batch, at the options' learning rate.
  StepResult train(const Sequences& batch);
  /// The loss of a batch without dropout and without learning.
  float evaluate(const Sequences& batch);

  /// Optimizer steps taken, and queued.
  int64_t step() const { return step_; }
  void set_step(int64_t step) { step_ = step; }
  uint64_t seed() const { return seed_; }
  const LearnerOptions& options() const { return options_; }
  const Context& context() const { return ctx_; }
  Transformer& model() { return model_; }
  const Transformer& model() const { return model_; }
  /// Adam's moments, laid out like the weights.
  Tensor first_moments() const { return first_moments_; }
  Tensor second_moments() const { return second_moments_; }
  /// Bytes held: parameters, their gradients and moments, activations, scratch.
  int64_t bytes() const { return model_.arena().bytes() + arena_.bytes(); }

 private:
  /// With all its buffers, and nothing in them.
  Learner(const ModelConfig& config, const LearnerOptions& options, uint64_t seed,
          const Context& ctx, Arena::Memory memory);

  struct PreparedBatch {
    Batch inputs;
    ConstIndexTensor targets;  // [B·L·N]
    int64_t counted;           // of them
  };
  void reset_guard();
  PreparedBatch prepare(const Sequences& sequences);
  /// What is another in every step: on the CPU as numbers, on a GPU in places that a recording
  /// reads.
  struct StepNumbers {
    Counter first_batch = 0;  // of the step's, among all of the training
    Counter slot = 0;         // of its record
    AdamSettings adam;
  };
  /// What a recording keeps of a step's batch.
  struct RecordedBatch {
    int64_t count;
    float share;
    const int32_t* tokens;
    const float* cond;
    auto operator<=>(const RecordedBatch&) const = default;
  };
  void queue_on_gpu(std::span<const StepBatch> batches, StepNumbers numbers);
  /// The same batches, chosen by copies of their begins and files in places of the learner's.
  std::vector<StepBatch> copy_places(std::span<const StepBatch> batches);
  void run_step(std::span<const StepBatch> batches, const StepNumbers& numbers);
  /// Adds the loss and the gradient of a step's batch number `index`.
  void add_batch(const StepBatch& batch, int64_t index, const Counter& first_batch);

  Context ctx_;
  Transformer model_;
  Arena arena_;
  Tensor first_moments_, second_moments_, loss_, step_loss_, losses_, norm_, norm_blocks_;
  Tensor records_, guard_;
  Tensor gradient_sum_;  // empty where a step has one batch
  Tensor cond_;
  IndexTensor inputs_, targets_;
  // On a GPU, of the step that is queued next.
  TensorView<int64_t> counters_;  // its first batch, its slot
  Tensor adam_factors_;
  IndexTensor places_;  // [2, batches, batch]: begins, files
  LearnerOptions options_;
  uint64_t seed_;
  int64_t step_ = 0, queued_ = 0;
  std::map<std::vector<RecordedBatch>, Graph> graphs_;  // not recorded yet: it has run once
};

/// Positions in a training sequence of a model: Tt, or Tt + 1 with a start frame.
int64_t training_length(const ModelConfig& config);

}  // namespace dsf
