#include "engine/training/learner.h"

#include <cmath>

#include "kernels/adam/adam.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/gather_sequences/gather_sequences.h"
#include "kernels/gradient_norm/gradient_norm.h"
#include "kernels/gradient_sum/gradient_sum.h"
#include "kernels/step_record/step_record.h"

namespace dsf {

/// Steps that are queued at once on a GPU: enough that it never waits for the host.
static constexpr int64_t kQueueCapacity = 32;

int64_t training_length(const ModelConfig& config) {
  return config.max_length + (config.model_class == ModelClass::streaming ? 1 : 0);
}

Learner::Learner(const ModelConfig& config, const LearnerOptions& options, uint64_t seed,
                 const Context& ctx)
    : ctx_(ctx),
      model_(config, {options.batch_size, training_length(config), options.batch_size, true}, ctx),
      arena_(ctx),
      graph_(ctx),
      options_(options),
      seed_(seed) {
  const Shape flat{model_.table().size()};
  std::vector<float> weights(static_cast<size_t>(flat.size()));
  model_.table().initialise({weights.data(), flat}, seed);
  upload(ctx, model_.weights(), weights.data());
  first_moments_ = arena_.tensor("adam.first_moments", flat);
  second_moments_ = arena_.tensor("adam.second_moments", flat);
  if (options.batches_per_step > 1) gradient_sum_ = arena_.tensor("gradient_sum", flat);
  const int64_t codes = options.batch_size * training_length(config) * config.num_codebooks;
  inputs_ = arena_.index("inputs", {codes});
  targets_ = arena_.index("targets", {codes});
  cond_ = arena_.tensor("cond", {options.batch_size, config.cond_size()});
  losses_ = arena_.tensor("losses", {codes});
  loss_ = arena_.tensor("loss", {1});
  step_loss_ = arena_.tensor("step_loss", {1});
  records_ = arena_.tensor("records", {kQueueCapacity, 2});
  guard_ = arena_.tensor("guard", {1});
  reset_guard();
  norm_ = arena_.tensor("gradient_norm", {1});
  norm_blocks_ = arena_.tensor("gradient_norm.blocks", {flat[0] / kNormBlock + 1});
}

Learner::Learner(const ModelConfig& config, int64_t batch_size, float learning_rate, uint64_t seed,
                 const Context& ctx)
    : Learner(config, LearnerOptions{batch_size, learning_rate, 0, std::nullopt, 1}, seed, ctx) {}

void Learner::reset_guard() {
  const float well = 1;
  upload(ctx_, guard_, &well);
}

Learner::PreparedBatch Learner::prepare(const Sequences& sequences) {
  const ModelConfig& config = model_.config();
  const int64_t b = sequences.count(), length = training_length(config);
  DSF_CHECK(b >= 1 && b <= options_.batch_size, "{} sequences, a batch has at most {}", b,
            options_.batch_size);
  const IndexTensor inputs(inputs_.data, {b, length, config.num_codebooks});
  const IndexTensor targets(targets_.data, inputs.shape);
  const Tensor cond = view(cond_, {b, config.cond_size()});
  gather_sequences(ctx_, inputs, targets, cond, sequences.tokens, sequences.cond, sequences.begins,
                   sequences.files, config.max_length + 1, static_cast<int32_t>(config.vocab_size));
  return {{inputs, cond}, targets.reshaped({targets.size()})};
}

bool StepResult::finite() const {
  return std::isfinite(loss) && std::isfinite(gradient_norm * gradient_norm);
}

void Learner::add_batch(const StepBatch& batch, int64_t index) {
  const PreparedBatch prepared = prepare(batch.sequences);
  const ModelConfig& config = model_.config();
  PassOptions options;
  options.dropout = config.dropout;
  options.seed = seed_;
  // Every batch draws factors of its own.
  options.step = static_cast<uint32_t>(step_ * options_.batches_per_step + index);
  const Tensor logits = model_.forward(ctx_, prepared.inputs, options);
  const int64_t codes = prepared.targets.size();
  const Tensor by_code = logits.reshaped({codes, config.vocab_size});
  cross_entropy_forward_backward(ctx_, loss_, view(losses_, {codes}), overwrite(by_code), by_code,
                                 prepared.targets);
  model_.backward(ctx_, logits, prepared.inputs);
  const auto mode = index == 0 ? GradientMode::overwrite : GradientMode::accumulate;
  gradient_sum(ctx_, {step_loss_, mode}, loss_, batch.share);
  if (gradient_sum_) {
    gradient_sum(ctx_, {gradient_sum_, mode}, model_.gradients(), batch.share);
  }
}

void Learner::run_step(std::span<const StepBatch> batches, float learning_rate) {
  for (size_t i = 0; i < batches.size(); ++i) add_batch(batches[i], static_cast<int64_t>(i));
  const ConstTensor gradient = gradient_sum_ ? gradient_sum_ : model_.gradients();
  gradient_norm(ctx_, norm_, gradient, norm_blocks_);
  step_record(ctx_, records_, guard_, step_loss_, norm_, queued_);
  AdamSettings settings;
  settings.learning_rate = learning_rate;
  settings.weight_decay = options_.weight_decay;
  settings.clip_norm = options_.clip_norm;
  adam_step(ctx_, model_.weights(), first_moments_, second_moments_, gradient, norm_, guard_,
            settings, step_ + 1);
}

bool Learner::is_new_shape(std::span<const StepBatch> batches) {
  std::vector<int64_t> sizes;
  for (const StepBatch& batch : batches) sizes.push_back(batch.sequences.count());
  return shapes_.insert(sizes).second;
}

void Learner::queue_step(std::span<const StepBatch> batches, float learning_rate) {
  const auto count = static_cast<int64_t>(batches.size());
  DSF_CHECK(count >= 1 && count <= options_.batches_per_step, "a step of {} batches, at most {}",
            count, options_.batches_per_step);
  DSF_CHECK(gradient_sum_ || batches[0].share == 1, "the only batch of a step has share {}",
            batches[0].share);
  DSF_CHECK(queued_ < queue_capacity(), "{} steps are queued", queued_);
  const auto work = [&] { run_step(batches, learning_rate); };
  if (ctx_.device == Device::cpu || is_new_shape(batches)) {
    work();
  } else {
    graph_.record(work);
    graph_.launch();
  }
  ++step_;
  ++queued_;
}

int64_t Learner::queue_capacity() const {
  return ctx_.device == Device::cpu ? 1 : kQueueCapacity;
}

std::vector<StepResult> Learner::finish_steps() {
  const HostValues records(ctx_, records_);
  std::vector<StepResult> results;
  for (int64_t i = 0; i < queued_; ++i) {
    const float* record = records.view().row(i);
    results.push_back({record[0], record[1]});
    if (results.back().finite()) continue;
    step_ -= queued_ - i;
    reset_guard();
    break;
  }
  queued_ = 0;
  return results;
}

StepResult Learner::train(const Sequences& batch) {
  const StepBatch only{batch};
  queue_step({&only, 1}, options_.learning_rate);
  return finish_steps().back();
}

float Learner::evaluate(const Sequences& batch) {
  const PreparedBatch prepared = prepare(batch);
  const Tensor logits = model_.forward(ctx_, prepared.inputs);
  const int64_t codes = prepared.targets.size();
  cross_entropy_forward(ctx_, loss_, view(losses_, {codes}),
                        logits.reshaped({codes, model_.config().vocab_size}), prepared.targets);
  return HostValues(ctx_, loss_).view()[0];
}

}  // namespace dsf
