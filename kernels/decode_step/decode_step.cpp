#include "kernels/decode_step/decode_step.h"

#include "kernels/attention/attention.h"
#include "kernels/embedding/embedding.h"
#include "kernels/film/film.h"
#include "kernels/layernorm/layernorm.h"
#include "kernels/residual/residual.h"
#include "kernels/ring_store/ring_store.h"
#include "kernels/rope/rope.h"
#include "kernels/stored_linear/stored_linear.h"

namespace dsf {
namespace {

/// x += out(attention(…)) of one layer; the frame's key and value go to their rings.
void attend(const Context& ctx, const DecodeStepLayer& layer, const DecodeStepScratch& s,
            int64_t heads, Counter frame) {
  const int64_t batch = s.x.dim(0), e = s.x.dim(1);
  const Shape frame_shape{batch, 1, e};
  stored_linear_forward(ctx, s.query, s.modulated, layer.in_w.slice(0, e), layer.in_b.slice(0, e));
  stored_linear_forward(ctx, s.key, s.modulated, layer.in_w.slice(e, e), layer.in_b.slice(e, e));
  stored_linear_forward(ctx, s.value, s.modulated, layer.in_w.slice(2 * e, e),
                        layer.in_b.slice(2 * e, e));
  for (const Tensor& turned : {s.query.reshaped(frame_shape), s.key.reshaped(frame_shape)}) {
    rope_forward(ctx, turned, turned, heads, s.rope_first, s.rope_second);
  }
  ring_store(ctx, layer.keys, s.key, frame);
  ring_store(ctx, layer.values, s.value, frame);
  attention_step_forward(ctx, s.mixed, s.query, layer.keys, layer.values, frame, heads);
  stored_linear_forward(ctx, s.branch, s.mixed, layer.out_w, layer.out_b);
  residual_forward(ctx, s.x, s.branch, s.x, DropoutStream{});
}

/// x += FFN(…) of one layer.
void feed_forward(const Context& ctx, const DecodeStepLayer& layer, const DecodeStepScratch& s) {
  stored_linear_relu_forward(ctx, s.hidden, s.modulated, layer.expand_w, layer.expand_b);
  stored_linear_forward(ctx, s.branch, s.hidden, layer.reduce_w, layer.reduce_b);
  residual_forward(ctx, s.x, s.branch, s.x, DropoutStream{});
}

void check_product(const WeightMatrix& w, ConstTensor b, int64_t outputs, int64_t inputs) {
  DSF_CHECK(w.shape() == Shape({outputs, inputs}) && b.shape == Shape({outputs}),
            "weights {} and {} for {} of {}", w.shape().str(), b.shape.str(), outputs, inputs);
}

void check_arguments(ConstTensor logits, ConstIndexTensor tokens, const DecodeStepModel& model,
                     const DecodeStepScratch& scratch) {
  DSF_CHECK(tokens.rank() == 2 && tokens.size() >= 1 && tokens.dim(1) == model.embedding.dim(0),
            "tokens {} for {}", tokens.shape.str(), model.embedding.shape.str());
  const Shape state{tokens.dim(0), model.norm_w.dim(0)};
  DSF_CHECK(logits.rows() == state[0] && logits.cols() == model.head_w.rows, "logits {} of head {}",
            logits.shape.str(), model.head_w.shape().str());
  for (const Tensor& buffer : {scratch.x, scratch.normed, scratch.modulated, scratch.query,
                               scratch.key, scratch.value, scratch.mixed, scratch.branch}) {
    DSF_CHECK(buffer.shape == state, "scratch {} for a state of {}", buffer.shape.str(),
              state.str());
  }
  const int64_t e = state[1], hidden = scratch.hidden.cols();
  check_product(model.head_w, model.head_b, model.head_w.rows, e);
  DSF_CHECK(scratch.hidden.rows() == state[0] && model.heads >= 1 && e % model.heads == 0 &&
                e % model.embedding.dim(0) == 0 && model.norm_b.shape == model.norm_w.shape,
            "hidden state {}, {} heads and {} codebooks for a state of {}",
            scratch.hidden.shape.str(), model.heads, model.embedding.dim(0), state.str());
  for (const DecodeStepLayer& layer : model.layers) {
    check_product(layer.in_w, layer.in_b, 3 * e, e);
    check_product(layer.out_w, layer.out_b, e, e);
    check_product(layer.expand_w, layer.expand_b, hidden, e);
    check_product(layer.reduce_w, layer.reduce_b, e, hidden);
    for (const ConstTensor& film : {layer.gamma1, layer.beta1, layer.gamma2, layer.beta2}) {
      DSF_CHECK(film.shape == model.layers[0].gamma1.shape && film.cols() == e &&
                    film.rows() >= 1 && state[0] % film.rows() == 0,
                "conditions {} for a state of {}", film.shape.str(), state.str());
    }
    DSF_CHECK(layer.keys.shape == model.layers[0].keys.shape, "rings {} and {}",
              layer.keys.shape.str(), model.layers[0].keys.shape.str());
    DSF_CHECK(layer.keys.shape == layer.values.shape && layer.keys.rank() == 3 &&
                  layer.keys.dim(1) == state[0] && layer.keys.dim(2) == state[1],
              "rings {} and {} for a state of {}", layer.keys.shape.str(), layer.values.shape.str(),
              state.str());
  }
}

/// Of arguments that have been checked.
void compose(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
             const DecodeStepModel& model, const DecodeStepScratch& s, Counter frame,
             Counter position) {
  const ProfileRange range("decode_step_composed");
  const int64_t head_size = s.x.dim(1) / model.heads;
  rope_head_tables(ctx, s.rope_first, s.rope_second, position, head_size);
  embedding_forward(ctx, s.x, tokens, model.embedding);
  for (const DecodeStepLayer& layer : model.layers) {
    layernorm_forward(ctx, s.normed, s.mean, s.rstd, s.x, {}, {});
    film_forward(ctx, s.modulated, s.normed, layer.gamma1, layer.beta1);
    attend(ctx, layer, s, model.heads, frame);
    layernorm_forward(ctx, s.normed, s.mean, s.rstd, s.x, {}, {});
    film_forward(ctx, s.modulated, s.normed, layer.gamma2, layer.beta2);
    feed_forward(ctx, layer, s);
  }
  layernorm_forward(ctx, s.normed, s.mean, s.rstd, s.x, model.norm_w, model.norm_b);
  stored_linear_forward(ctx, logits, s.normed, model.head_w, model.head_b);
}

}  // namespace

void decode_step_composed(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                          const DecodeStepModel& model, const DecodeStepScratch& scratch,
                          Counter frame, Counter position) {
  check_arguments(logits, tokens, model, scratch);
  compose(ctx, logits, tokens, model, scratch, frame, position);
}

void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                         const DecodeStepModel& model, const DecodeStepScratch& scratch,
                         Counter frame, Counter position) {
  check_arguments(logits, tokens, model, scratch);  // before they are reckoned with
  const int64_t streams = tokens.dim(0);
  const bool fused = ctx.device == Device::cpu
                         ? cpu::fuses_decode_step(streams)
                         : cuda::fuses_decode_step && cuda::fuses_decode_step(model, streams);
  if (!fused) return compose(ctx, logits, tokens, model, scratch, frame, position);
  const ProfileRange range("decode_step_forward");
  const auto step =
      ctx.device == Device::cpu ? cpu::decode_step_forward : cuda::decode_step_forward;
  step(ctx, logits, tokens, model, scratch, frame, position);
}

}  // namespace dsf
