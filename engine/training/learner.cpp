#include "engine/training/learner.h"

#include <algorithm>
#include <cmath>

#include "kernels/adam/adam.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/gradient_norm/gradient_norm.h"

namespace dsf {

int64_t training_length(const ModelConfig& config) {
  return config.max_length + (config.model_class == ModelClass::streaming ? 1 : 0);
}

Learner::Learner(const ModelConfig& config, int64_t batch_size, float learning_rate, uint64_t seed)
    : model_(config, {batch_size, training_length(config), batch_size, true}),
      learning_rate_(learning_rate),
      seed_(seed) {
  model_.table().initialise(model_.weights(), seed);
  const Shape flat{model_.table().size()};
  first_moments_ = arena_.tensor("adam.first_moments", flat);
  second_moments_ = arena_.tensor("adam.second_moments", flat);
  const int64_t codes = batch_size * training_length(config) * config.num_codebooks;
  inputs_ = arena_.index("inputs", {codes});
  targets_ = arena_.index("targets", {codes});
  losses_ = arena_.tensor("losses", {codes});
  loss_ = arena_.tensor("loss", {1});
  norm_ = arena_.tensor("gradient_norm", {1});
  norm_blocks_ = arena_.tensor("gradient_norm.blocks", {flat[0] / kNormBlock + 1});
}

Batch Learner::prepare(const Sequences& batch) {
  const ModelConfig& config = model_.config();
  const int64_t b = batch.frames.dim(0), frames = batch.frames.dim(1), n = config.num_codebooks;
  const int64_t length = training_length(config);
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
  return std::isfinite(loss) && std::isfinite(gradient_norm);
}

StepResult Learner::train(const Context& ctx, const Sequences& batch) {
  const Batch inputs = prepare(batch);
  const ModelConfig& config = model_.config();
  PassOptions options;
  options.dropout = config.dropout;
  options.seed = seed_;
  options.step = static_cast<uint32_t>(step_);
  const Tensor logits = model_.forward(ctx, inputs, options);
  const int64_t codes = batch_targets_.size();
  const Tensor by_code = logits.reshaped({codes, config.vocab_size});
  cross_entropy_forward_backward(ctx, loss_, view(losses_, {codes}), overwrite(by_code), by_code,
                                 batch_targets_);
  model_.backward(ctx, logits, inputs);
  gradient_norm(ctx, norm_, model_.gradients(), norm_blocks_);
  const StepResult result{loss_[0], norm_[0]};
  if (!result.finite()) return result;
  ++step_;
  adam_step(ctx, model_.weights(), first_moments_, second_moments_, model_.gradients(),
            AdamSettings{learning_rate_}, step_);
  return result;
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
