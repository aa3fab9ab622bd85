#include "engine/training/learner.h"

#include <cmath>
#include <new>

#include "kernels/adam/factors.h"
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
                 const Context& ctx, Arena::Memory memory)
    : ctx_(ctx),
      model_(config, {options.batch_size, training_length(config), options.batch_size, true}, ctx,
             memory),
      arena_(ctx, memory),
      options_(options),
      seed_(seed) {
  const Shape flat{model_.table().size()};
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
  if (ctx.device != Device::cpu) {
    counters_ = arena_.wide("step.counters", {2});
    adam_factors_ = arena_.tensor("step.adam_factors", {kAdamFactors});
    places_ = arena_.index("step.places", {2, options.batches_per_step, options.batch_size});
  }
  norm_ = arena_.tensor("gradient_norm", {1});
  norm_blocks_ = arena_.tensor("gradient_norm.blocks", {flat[0] / kNormBlock + 1});
}

Learner::Learner(const ModelConfig& config, const LearnerOptions& options, uint64_t seed,
                 const Context& ctx) try
    : Learner(config, options, seed, ctx, Arena::Memory::held) {
  std::vector<float> weights(static_cast<size_t>(model_.table().size()));
  model_.table().initialise({weights.data(), {model_.table().size()}}, seed);
  upload(ctx, model_.weights(), weights.data());
  reset_guard();
} catch (const std::bad_alloc&) {
  fail("out of memory: the model in training needs {:.1f} MB",
       static_cast<double>(bytes_needed(config, options, ctx)) / 1e6);
}

int64_t Learner::bytes_needed(const ModelConfig& config, const LearnerOptions& options,
                              const Context& ctx) {
  return Learner(config, options, 0, ctx, Arena::Memory::counted).bytes();
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
                   sequences.files, config.max_length + 1, static_cast<int32_t>(config.vocab_size),
                   config.codebook_delay);
  const int64_t delayed = b * config.codebook_lag() * config.num_codebooks / 2;
  return {{inputs, cond}, targets.reshaped({targets.size()}), targets.size() - delayed};
}

bool StepResult::finite() const {
  return std::isfinite(loss) && std::isfinite(gradient_norm * gradient_norm);
}

void Learner::add_batch(const StepBatch& batch, int64_t index, const Counter& first_batch) {
  const PreparedBatch prepared = prepare(batch.sequences);
  const ModelConfig& config = model_.config();
  PassOptions options;
  options.dropout = config.dropout;
  options.seed = seed_;
  // Every batch draws factors of its own.
  options.step = first_batch + index;
  const Tensor logits = model_.forward(ctx_, prepared.inputs, options);
  const int64_t codes = prepared.targets.size();
  const Tensor by_code = logits.reshaped({codes, config.vocab_size});
  cross_entropy_forward_backward(ctx_, loss_, view(losses_, {codes}), overwrite(by_code), by_code,
                                 prepared.targets, prepared.counted);
  model_.backward(ctx_, logits, prepared.inputs);
  const auto mode = index == 0 ? GradientMode::overwrite : GradientMode::accumulate;
  gradient_sum(ctx_, {step_loss_, mode}, loss_, batch.share);
  if (gradient_sum_) {
    gradient_sum(ctx_, {gradient_sum_, mode}, model_.gradients(), batch.share);
  }
}

void Learner::run_step(std::span<const StepBatch> batches, const StepNumbers& numbers) {
  for (size_t i = 0; i < batches.size(); ++i) {
    add_batch(batches[i], static_cast<int64_t>(i), numbers.first_batch);
  }
  const ConstTensor gradient = gradient_sum_ ? gradient_sum_ : model_.gradients();
  gradient_norm(ctx_, norm_, gradient, norm_blocks_);
  step_record(ctx_, records_, guard_, step_loss_, norm_, numbers.slot);
  adam_step(ctx_, model_.weights(), first_moments_, second_moments_, gradient, norm_, guard_,
            numbers.adam, step_ + 1);
}

std::vector<StepBatch> Learner::copy_places(std::span<const StepBatch> batches) {
  std::vector<StepBatch> copies(batches.begin(), batches.end());
  for (size_t i = 0; i < copies.size(); ++i) {
    Sequences& sequences = copies[i].sequences;
    int64_t kind = 0;
    for (ConstIndexTensor* places : {&sequences.begins, &sequences.files}) {
      DSF_CHECK(places->size() <= options_.batch_size, "{} sequences, a batch has at most {}",
                places->size(), options_.batch_size);
      int32_t* copy = places_.row(kind++ * options_.batches_per_step + static_cast<int64_t>(i));
      copy_on_device(ctx_, copy, places->data,
                     static_cast<size_t>(places->size()) * sizeof(int32_t));
      places->data = copy;
    }
  }
  return copies;
}

void Learner::queue_on_gpu(std::span<const StepBatch> batches, StepNumbers numbers) {
  const int64_t counters[] = {numbers.first_batch.value, numbers.slot.value};
  const AdamFactors factors = adam_factors(numbers.adam, step_ + 1);
  upload(ctx_, counters_, counters);
  upload(ctx_, adam_factors_, &factors.decay1);
  numbers.first_batch = {0, counters_.data};
  numbers.slot = {0, counters_.data + 1};
  numbers.adam.device_factors = adam_factors_;
  const std::vector<StepBatch> placed = copy_places(batches);
  const auto work = [&] { run_step(placed, numbers); };

  std::vector<RecordedBatch> recorded;
  for (const auto& [sequences, share] : batches) {
    recorded.push_back({sequences.count(), share, sequences.tokens.data, sequences.cond.data});
  }
  const auto [entry, is_new] = graphs_.try_emplace(std::move(recorded), ctx_);
  if (is_new) {  // the first may not be recorded (graph.h)
    try {
      return work();
    } catch (...) {
      graphs_.erase(entry);
      throw;
    }
  }
  Graph& graph = entry->second;
  if (!graph.recorded()) graph.record(work);
  graph.launch();
}

void Learner::queue_step(std::span<const StepBatch> batches, float learning_rate) {
  const auto count = static_cast<int64_t>(batches.size());
  DSF_CHECK(count >= 1 && count <= options_.batches_per_step, "a step of {} batches, at most {}",
            count, options_.batches_per_step);
  DSF_CHECK(gradient_sum_ || batches[0].share == 1, "the only batch of a step has share {}",
            batches[0].share);
  DSF_CHECK(queued_ < queue_capacity(), "{} steps are queued", queued_);
  StepNumbers numbers{step_ * options_.batches_per_step, queued_, {}};
  numbers.adam.learning_rate = learning_rate;
  numbers.adam.weight_decay = options_.weight_decay;
  numbers.adam.clip_norm = options_.clip_norm;
  if (ctx_.device == Device::cpu) {
    run_step(batches, numbers);
  } else {
    queue_on_gpu(batches, numbers);
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
                        logits.reshaped({codes, model_.config().vocab_size}), prepared.targets,
                        prepared.counted);
  return HostValues(ctx_, loss_).view()[0];
}

}  // namespace dsf
