#include "engine/training/learner.h"

#include <algorithm>
#include <cmath>

#include "kernels/adam/adam.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/gradient_norm/gradient_norm.h"
#include "kernels/gradient_sum/gradient_sum.h"

namespace dsf {
namespace {

/// The factor that makes a gradient of length `norm` no longer than `clip_norm`.
float clip_factor(float norm, const std::optional<float>& clip_norm) {
  constexpr float kMargin = 1e-6F;  // PyTorch's, against a division by zero
  return clip_norm ? std::min(1.0F, *clip_norm / (norm + kMargin)) : 1.0F;
}

}  // namespace

int64_t training_length(const ModelConfig& config) {
  return config.max_length + (config.model_class == ModelClass::streaming ? 1 : 0);
}

Learner::Learner(const ModelConfig& config, const LearnerOptions& options, uint64_t seed)
    : model_(config, {options.batch_size, training_length(config), options.batch_size, true}),
      options_(options),
      seed_(seed) {
  model_.table().initialise(model_.weights(), seed);
  const Shape flat{model_.table().size()};
  first_moments_ = arena_.tensor("adam.first_moments", flat);
  second_moments_ = arena_.tensor("adam.second_moments", flat);
  if (options.batches_per_step > 1) gradient_sum_ = arena_.tensor("gradient_sum", flat);
  const int64_t codes = options.batch_size * training_length(config) * config.num_codebooks;
  inputs_ = arena_.index("inputs", {codes});
  targets_ = arena_.index("targets", {codes});
  losses_ = arena_.tensor("losses", {codes});
  loss_ = arena_.tensor("loss", {1});
  norm_ = arena_.tensor("gradient_norm", {1});
  norm_blocks_ = arena_.tensor("gradient_norm.blocks", {flat[0] / kNormBlock + 1});
}

Learner::Learner(const ModelConfig& config, int64_t batch_size, float learning_rate, uint64_t seed)
    : Learner(config, LearnerOptions{batch_size, learning_rate, 0, std::nullopt, 1}, seed) {}

Batch Learner::prepare(const Sequences& batch) {
  const ModelConfig& config = model_.config();
  const int64_t b = batch.frames.dim(0), frames = batch.frames.dim(1), n = config.num_codebooks;
  const int64_t length = training_length(config);
  DSF_CHECK(b >= 1 && b <= options_.batch_size, "{} sequences, a batch has at most {}", b,
            options_.batch_size);
  DSF_CHECK(batch.frames.dim(2) == n, "{} codes a frame, the model has {}", batch.frames.dim(2), n);
  DSF_CHECK(frames == config.max_length + 1, "sequences of {} frames, Tt + 1 is {}", frames,
            config.max_length + 1);
  const bool starts = length == frames;  // with a start frame before frame 0
  for (int64_t s = 0; s < b; ++s) {
    const int32_t* source = batch.frames.data + s * frames * n;
    int32_t* input = inputs_.data + s * length * n;
    if (starts) input = std::fill_n(input, n, static_cast<int32_t>(config.vocab_size));
    std::copy_n(source, (frames - 1) * n, input);
    std::copy_n(source + (frames - length) * n, length * n, targets_.data + s * length * n);
  }
  batch_targets_ = {targets_.data, {b * length * n}};
  return {{inputs_.data, {b, length, n}}, batch.cond};
}

bool StepResult::finite() const {
  return std::isfinite(loss) && std::isfinite(gradient_norm * gradient_norm);
}

void Learner::add_batch(const Context& ctx, const Sequences& batch, float share) {
  DSF_CHECK(batches_ < options_.batches_per_step, "{} batches are in this step", batches_);
  DSF_CHECK(gradient_sum_ || share == 1, "the only batch of a step has share {}", share);
  const Batch inputs = prepare(batch);
  const ModelConfig& config = model_.config();
  PassOptions options;
  options.dropout = config.dropout;
  options.seed = seed_;
  // Every batch draws factors of its own.
  options.step = static_cast<uint32_t>(step_ * options_.batches_per_step + batches_);
  const Tensor logits = model_.forward(ctx, inputs, options);
  const int64_t codes = batch_targets_.size();
  const Tensor by_code = logits.reshaped({codes, config.vocab_size});
  cross_entropy_forward_backward(ctx, loss_, view(losses_, {codes}), overwrite(by_code), by_code,
                                 batch_targets_);
  model_.backward(ctx, logits, inputs);
  if (gradient_sum_) {
    const Gradient sum = batches_ == 0 ? overwrite(gradient_sum_) : accumulate(gradient_sum_);
    gradient_sum(ctx, sum, model_.gradients(), share);
  }
  step_loss_ += share * loss_[0];
  ++batches_;
}

StepResult Learner::take_step(const Context& ctx, float learning_rate) {
  DSF_CHECK(batches_ > 0, "a step of {} batches", batches_);
  const ConstTensor gradient = gradient_sum_ ? gradient_sum_ : model_.gradients();
  gradient_norm(ctx, norm_, gradient, norm_blocks_);
  const StepResult result{step_loss_, norm_[0]};
  batches_ = 0;
  step_loss_ = 0;
  if (!result.finite()) return result;
  ++step_;
  AdamSettings settings;
  settings.learning_rate = learning_rate;
  settings.weight_decay = options_.weight_decay;
  settings.gradient_scale = clip_factor(result.gradient_norm, options_.clip_norm);
  adam_step(ctx, model_.weights(), first_moments_, second_moments_, gradient, settings, step_);
  return result;
}

StepResult Learner::train(const Context& ctx, const Sequences& batch) {
  add_batch(ctx, batch, 1);
  return take_step(ctx, options_.learning_rate);
}

float Learner::evaluate(const Context& ctx, const Sequences& batch) {
  const Batch inputs = prepare(batch);
  const Tensor logits = model_.forward(ctx, inputs);
  const int64_t codes = batch_targets_.size();
  cross_entropy_forward(ctx, loss_, view(losses_, {codes}),
                        logits.reshaped({codes, model_.config().vocab_size}), batch_targets_);
  return loss_[0];
}

}  // namespace dsf
