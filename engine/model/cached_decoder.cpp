#include "engine/model/cached_decoder.h"

#include <algorithm>
#include <span>

#include "kernels/linear/linear.h"
#include "kernels/ring_store/ring_store.h"

namespace dsf {

CachedDecoder::CachedDecoder(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                             int64_t batch, const Context& ctx, bool composed, WeightFormat format)
    : ctx_(ctx), arena_(ctx), composed_(composed) {
  DSF_CHECK(config.model_class == ModelClass::streaming,
            "{} cannot be cached: its scores depend on absolute positions",
            model_class_name(config.model_class));
  if (ctx.device != Device::cpu) {
    const float* values = weights.data;
    weights = arena_.tensor("weights", weights.shape);
    upload(ctx, weights, values);
  }
  const auto weight = [&](const std::string& name) -> ConstTensor {
    return table.view(weights, name);
  };
  DSF_CHECK(format == WeightFormat::fp32 || ctx.device == Device::cpu, "weights in {} on a GPU",
            name_of(format));
  const auto matrix = [&](const std::string& name) -> WeightMatrix {
    if (format == WeightFormat::fp32) return weight(name);
    return stored_.emplace_back(format, weight(name)).matrix();
  };
  const int64_t e = config.embed_size;
  model_.heads = config.num_heads;
  model_.embedding = weight("embedding.weight");
  model_.norm_w = weight("final_norm.weight");
  model_.norm_b = weight("final_norm.bias");
  model_.head_w = matrix("final_layer.weight");
  model_.head_b = weight("final_layer.bias");
  hidden_w_ = weight("conditioning.0.weight");
  hidden_b_ = weight("conditioning.0.bias");
  embedding_w_ = weight("conditioning.2.weight");
  embedding_b_ = weight("conditioning.2.bias");
  device_cond_ = arena_.tensor("conditioning", {batch, hidden_w_.dim(1)});
  hidden_ = arena_.tensor("conditioning.hidden", {batch, kConditioningWidth});
  embedding_ = arena_.tensor("conditioning.embedding", {batch, kConditioningWidth});
  const Shape ring{config.lookback + 1, batch, e};
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string name = fmt::format("layers.{}", i);
    DecodeStepLayer layer;
    layer.in_w = matrix(name + ".attention.in_proj_weight");
    layer.in_b = weight(name + ".attention.in_proj_bias");
    layer.out_w = matrix(name + ".attention.out_proj.weight");
    layer.out_b = weight(name + ".attention.out_proj.bias");
    layer.expand_w = matrix(name + ".feed_forward.0.weight");
    layer.expand_b = weight(name + ".feed_forward.0.bias");
    layer.reduce_w = matrix(name + ".feed_forward.2.weight");
    layer.reduce_b = weight(name + ".feed_forward.2.bias");
    layer.keys = arena_.tensor(name + ".keys", ring);
    layer.values = arena_.tensor(name + ".values", ring);
    for (const char* part : {".film1.gamma", ".film1.beta", ".film2.gamma", ".film2.beta"}) {
      films_.push_back({weight(name + part + ".weight"), weight(name + part + ".bias"),
                        arena_.tensor(name + part, {batch, e})});
    }
    model_.layers.push_back(layer);
  }
  const auto scratch = [&](const char* name, int64_t width) {
    return arena_.tensor(name, {batch, width});
  };
  scratch_.x = scratch("x", e);
  scratch_.normed = scratch("normed", e);
  scratch_.modulated = scratch("modulated", e);
  scratch_.query = scratch("query", e);
  scratch_.key = scratch("key", e);
  scratch_.value = scratch("value", e);
  scratch_.mixed = scratch("mixed", e);
  scratch_.branch = scratch("branch", e);
  scratch_.hidden = scratch("hidden", config.forward_expansion * e);
  scratch_.mean = arena_.tensor("mean", {batch});
  scratch_.rstd = arena_.tensor("rstd", {batch});
  scratch_.rope_first = arena_.tensor("rope.first", {1, config.head_size() / 2});
  scratch_.rope_second = arena_.tensor("rope.second", {1, config.head_size() / 2});
  if (ctx.device != Device::cpu) {
    device_frame_ = arena_.wide("frame", {1});
    if (!composed && cuda::fuses_decode_step && cuda::fuses_decode_step(model_, batch)) {
      scratch_.exchange = arena_.tensor(
          "exchange", {decode_step_exchange(batch, e, config.num_heads, scratch_.hidden.cols(),
                                            config.num_layers)});
    }
  }
  logits_ = scratch("logits", model_.head_w.rows);
}

void CachedDecoder::set_conditioning(ConstTensor cond) {
  DSF_CHECK(cond.cols() == hidden_w_.dim(1) && (cond.rows() == 1 || cond.rows() == hidden_.rows()),
            "conditioning {} for {} streams of {} values", cond.shape.str(), hidden_.rows(),
            hidden_w_.dim(1));
  if (std::ranges::equal(cond_, std::span(cond.data, static_cast<size_t>(cond.size())))) return;
  cond_.assign(cond.data, cond.data + cond.size());
  const int64_t rows = cond.rows();
  const Tensor device_cond = device_cond_.slice(0, rows);
  upload(ctx_, device_cond, cond.data);
  const Tensor hidden = hidden_.slice(0, rows);
  const Tensor embedding = embedding_.slice(0, rows);
  linear_relu_forward(ctx_, hidden, device_cond, hidden_w_, hidden_b_);
  linear_forward(ctx_, embedding, hidden, embedding_w_, embedding_b_);
  const auto film_rows = [&](const FilmLayer& film) {
    const Tensor values = film.rows.slice(0, rows);
    linear_forward(ctx_, values, embedding, film.weight, film.bias);
    return values;
  };
  for (size_t i = 0; i < model_.layers.size(); ++i) {
    DecodeStepLayer& layer = model_.layers[i];
    layer.gamma1 = film_rows(films_[4 * i]);
    layer.beta1 = film_rows(films_[4 * i + 1]);
    layer.gamma2 = film_rows(films_[4 * i + 2]);
    layer.beta2 = film_rows(films_[4 * i + 3]);
  }
}

Tensor CachedDecoder::forward(ConstIndexTensor tokens) {
  const Tensor logits = step(tokens);
  if (device_frame_) advance_counters(ctx_, device_frame_);
  count_frame();
  return logits;
}

Counter CachedDecoder::frame() const {
  return device_frame_ ? Counter(0, device_frame_.data) : Counter(frame_);
}

Tensor CachedDecoder::step(ConstIndexTensor tokens) {
  DSF_CHECK(!cond_.empty(), "no conditioning set before frame {}", frame_);
  const auto forward = composed_ ? decode_step_composed : decode_step_forward;
  forward(ctx_, logits_, tokens, model_, scratch_, frame(), frame() + first_position_);
  return logits_;
}

void CachedDecoder::reset(int64_t first_position) {
  first_position_ = first_position;
  frame_ = 0;
  if (device_frame_) upload(ctx_, device_frame_, static_cast<const int64_t*>(&frame_));
}

}  // namespace dsf
