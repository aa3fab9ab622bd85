#include "engine/model/transformer.h"

#include "kernels/dropout/dropout.h"
#include "kernels/embedding/embedding.h"
#include "kernels/linear/linear.h"
#include "kernels/rope/rope.h"

namespace dsf {

Transformer::Transformer(const ModelConfig& config, const Capacity& capacity, const Context& ctx,
                         Arena::Memory memory)
    : config_(config), capacity_(capacity), table_(config), arena_(ctx, memory) {
  check_model_config(config, model_class_name(config.model_class));
  const int64_t positions = capacity.batch * capacity.length;
  if (capacity_.condition_rows == 0) capacity_.condition_rows = positions;
  weights_ = arena_.tensor("weights", {table_.size()});
  if (capacity.training) gradients_ = arena_.tensor("gradients", {table_.size()});
  const Builder build{config_, table_,    weights_,       gradients_,
                      arena_,  positions, capacity.batch, capacity_.condition_rows};
  const bool streaming = config.model_class == ModelClass::streaming;
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    blocks_.push_back(make_block(build, layer));
  }
  const int64_t e = config.embed_size;
  head_ = {build, "final_layer"};
  if (streaming) {
    final_norm_.emplace(build, "final_norm", true);
    condition_network_.emplace(build, "conditioning", capacity_.condition_rows);
    const Shape rows{capacity_.condition_rows, kConditioningWidth};
    condition_embedding_ = arena_.tensor("conditioning.embedding", rows);
    if (gradients_) dcondition_ = arena_.tensor("conditioning.d_embedding", rows);
  }
  rope_.heads = streaming ? config.num_heads : 1;
  const Shape tables{capacity.length, e / rope_.heads / 2};
  rope_first_ = arena_.tensor("rope.first", tables);
  rope_second_ = arena_.tensor("rope.second", tables);
  embedded_ = arena_.tensor("embedded", {positions, e});
  if (gradients_) {
    gradient_ = arena_.tensor("scratch.gradient", {positions, e});
    dnormed_ = build.scratch("normed", e);
  }
  logits_ = arena_.tensor("logits", {positions, head_.w.dim(0)});
  inputs_.resize(blocks_.size() + 1);
}

Tensor Transformer::embedding_tables(Tensor flat) const {
  const std::string& first = table_.entries().front().name;
  if (config_.model_class == ModelClass::streaming) return table_.view(flat, first);
  return table_.view_run(flat, first, config_.num_codebooks);
}

void Transformer::prepare_rope(const Context& ctx, int64_t length, int64_t first_position) {
  if (length == rope_length_ && first_position == rope_position_) return;
  const Shape shape{length, rope_first_.cols()};
  const Tensor first = view(rope_first_, shape);
  const Tensor second = view(rope_second_, shape);
  if (config_.model_class == ModelClass::streaming) {
    rope_head_tables(ctx, first, second, first_position, config_.head_size());
  } else {
    DSF_CHECK(first_position == 0, "{} counts positions from the window's first, asked for {}",
              model_class_name(config_.model_class), first_position);
    std::vector<float> sines(static_cast<size_t>(shape.size())), cosines(sines.size());
    rope_embedding_tables({sines.data(), shape}, {cosines.data(), shape}, config_.embed_size);
    upload(ctx, first, sines.data());
    upload(ctx, second, cosines.data());
  }
  rope_.first = first;
  rope_.second = second;
  rope_length_ = length;
  rope_position_ = first_position;
}

ConstTensor Transformer::embed_condition(const Context& ctx, ConstTensor cond) {
  if (!condition_network_) return cond;
  const Tensor embedding = view(condition_embedding_, {cond.rows(), kConditioningWidth});
  condition_network_->forward(ctx, embedding, cond);
  return embedding;
}

Tensor Transformer::forward(const Context& ctx, const Batch& batch, const PassOptions& options) {
  DSF_CHECK(batch.tokens.rank() == 3 && batch.tokens.dim(2) == config_.num_codebooks,
            "tokens {} of {} codebooks", batch.tokens.shape.str(), config_.num_codebooks);
  pass_ = {batch.tokens.dim(0), batch.tokens.dim(1), options.dropout, options.seed, options.step};
  const int64_t positions = pass_.batch * pass_.length;
  DSF_CHECK(pass_.batch <= capacity_.batch && pass_.length <= capacity_.length,
            "pass of {} × {}, built for {} × {}", pass_.batch, pass_.length, capacity_.batch,
            capacity_.length);
  DSF_CHECK(batch.cond.cols() == config_.cond_size() && batch.cond.rows() > 0 &&
                positions % batch.cond.rows() == 0,
            "conditioning {} of {} values for {} positions", batch.cond.shape.str(),
            config_.cond_size(), positions);
  DSF_CHECK(ctx.device != Device::cpu || !options.step.device,
            "step {}; the CPU has the host's alone", options.step.value);
  DSF_CHECK(!options.last_logits_only || options.dropout == 0, "dropout {} of last logits",
            options.dropout);
  prepare_rope(ctx, pass_.length, options.first_position);
  condition_ = embed_condition(ctx, batch.cond);

  const Tensor embedded = view(embedded_, pass_.shape(config_.embed_size));
  const ConstIndexTensor rows = batch.tokens.reshaped({positions, config_.num_codebooks});
  embedding_forward(ctx, embedded.reshaped({positions, config_.embed_size}), rows,
                    embedding_tables(weights_));
  if (rotates_embedding()) {
    rope_forward(ctx, embedded, embedded, rope_.heads, rope_.first, rope_.second);
  }
  dropout_forward(ctx, embedded, embedded, pass_.dropout_at(site_embedding));
  inputs_[0] = embedded;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    pass_.last_only = options.last_logits_only && i + 1 == blocks_.size();
    inputs_[i + 1] = blocks_[i]->forward(ctx, pass_, rope_, inputs_[i], condition_);
  }
  head_input_ = inputs_.back();
  if (final_norm_) head_input_ = final_norm_->forward(ctx, head_input_);
  const Tensor logits = view(logits_, {pass_.batch, head_input_.dim(1), head_.w.dim(0)});
  linear_forward(ctx, logits, head_input_, head_.w, head_.b);
  return logits;
}

void Transformer::backward(const Context& ctx, ConstTensor dlogits, const Batch& batch) {
  DSF_CHECK(static_cast<bool>(gradients_), "this model was built without gradients");
  const Tensor gradient = view(gradient_, pass_.shape(config_.embed_size));
  DSF_CHECK(!pass_.last_only, "the last forward gave the last position alone");
  Gradient dcondition;  // the first block to give one replaces it, the others add
  if (dcondition_) {
    dcondition = overwrite(view(dcondition_, {batch.cond.rows(), kConditioningWidth}));
  }

  if (final_norm_) {
    const Tensor dnormed = view(dnormed_, gradient.shape);
    linear_backward(ctx, overwrite(dnormed), overwrite(head_.dw), overwrite(head_.db), dlogits,
                    head_input_, head_.w);
    final_norm_->backward(ctx, overwrite(gradient), dnormed, inputs_.back());
  } else {
    linear_backward(ctx, overwrite(gradient), overwrite(head_.dw), overwrite(head_.db), dlogits,
                    head_input_, head_.w);
  }
  for (size_t i = blocks_.size(); i-- > 0;) {
    blocks_[i]->backward(ctx, pass_, rope_, gradient, dcondition, inputs_[i], condition_);
  }
  if (condition_network_) {
    condition_network_->backward(ctx, Gradient{}, dcondition.tensor, batch.cond);
  }
  dropout_backward(ctx, overwrite(gradient), gradient, pass_.dropout_at(site_embedding));
  if (rotates_embedding()) {
    rope_backward(ctx, overwrite(gradient), gradient, rope_.heads, rope_.first, rope_.second);
  }
  const int64_t positions = pass_.batch * pass_.length;
  embedding_backward(ctx, overwrite(embedding_tables(gradients_)),
                     gradient.reshaped({positions, config_.embed_size}),
                     batch.tokens.reshaped({positions, config_.num_codebooks}));
}

}  // namespace dsf
