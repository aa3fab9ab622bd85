#include <algorithm>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/common/parallel.h"
#include "kernels/common/team.h"
#include "kernels/decode_step/decode_step.h"
#include "kernels/embedding/embedding.h"
#include "kernels/film/film.h"
#include "kernels/layernorm/layernorm.h"
#include "kernels/residual/residual.h"
#include "kernels/rope/rope.h"
#include "kernels/stored_linear/stored_rows.h"

namespace dsf::cpu {

// A layer is five steps, between which the members meet. What takes next to no time (adding a
// branch, norm, FiLM) each does for itself rather than wait for another.
//
// At params.yaml's size a frame reads 59 MB of float32 weights and 2.8 MB of rings, which takes
// over a millisecond (bench/results/limits.md).

static constexpr int64_t kRowGrain = 16;         // outputs of a cache line
static constexpr int64_t kLeastWeights = 16384;  // that are worth another thread

namespace {

/// What members share: sums go through the scratch buffers.
struct Frame {
  const Context& ctx;
  Tensor logits;
  const DecodeStepModel& model;
  const DecodeStepScratch& s;
  Counter number;

  int64_t streams() const { return s.x.dim(0); }
  int64_t embed() const { return s.x.dim(1); }
};

/// A member's buffers: the state, and what is made of it.
class OwnState {
 public:
  explicit OwnState(const Shape& shape) {
    thread_local std::vector<float> memory;  // grown once
    const int64_t size = shape.size();
    memory.resize(std::max(memory.size(), static_cast<size_t>(3 * size + 2 * shape[0])));
    float* const at = memory.data();
    x = {at, shape};
    normed = {at + size, shape};
    modulated = {at + 2 * size, shape};
    mean = {at + 3 * size, {shape[0]}};
    rstd = {at + 3 * size + shape[0], {shape[0]}};
  }

  Tensor x, normed, modulated, mean, rstd;
};

class FrameMember {
 public:
  FrameMember(const Frame& frame, TeamMember& member)
      : frame_(frame), member_(member), own_(frame.s.x.shape) {}

  void run() {
    std::copy_n(frame_.s.x.data, own_.x.size(), own_.x.data);
    for (const DecodeStepLayer& layer : frame_.model.layers) {
      attend(layer);
      feed_forward(layer);
    }
    norm(frame_.model.norm_w, frame_.model.norm_b);
    multiply(frame_.logits, own_.normed, frame_.model.head_w, frame_.model.head_b);
  }

 private:
  void norm(ConstTensor weight, ConstTensor bias) {
    cpu::layernorm_forward(frame_.ctx, own_.normed, own_.mean, own_.rstd, own_.x, weight, bias);
  }

  void multiply(Tensor y, ConstTensor x, const WeightMatrix& w, ConstTensor b,
                Activation activation = Activation::none) {
    const auto [begin, end] = member_.range(w.rows, kRowGrain);
    multiply_rows(y, x, w, b.data, activation, begin, end);
  }

  void add_branch() {
    member_.meet();
    cpu::residual_forward(frame_.ctx, own_.x, frame_.s.branch, own_.x, DropoutStream{});
  }

  void attend(const DecodeStepLayer& layer) {
    const DecodeStepScratch& s = frame_.s;
    const int64_t e = frame_.embed();
    norm({}, {});
    cpu::film_forward(frame_.ctx, own_.modulated, own_.normed, layer.gamma1, layer.beta1);
    const Tensor parts[] = {s.query, s.key, s.value};
    for (int64_t part = 0; part < 3; ++part) {
      multiply(parts[part], own_.modulated, layer.in_w.slice(part * e, e),
               layer.in_b.slice(part * e, e));
    }
    member_.meet();
    const int64_t heads = frame_.model.heads;
    const auto [begin, end] = member_.range(frame_.streams() * heads);
    for (int64_t head = begin; head < end; ++head) store_entry(layer, head * (e / heads));
    attention_step_heads(s.mixed, s.query, layer.keys, layer.values, frame_.number, heads, begin,
                         end);
    member_.meet();
    multiply(s.branch, s.mixed, layer.out_w, layer.out_b);
    add_branch();
  }

  /// Turns the query and the key of a head, which begins at `offset`; key and value go to the
  /// rings.
  void store_entry(const DecodeStepLayer& layer, int64_t offset) {
    const DecodeStepScratch& s = frame_.s;
    const int64_t size = frame_.embed() / frame_.model.heads;
    for (const Tensor& of_all : {s.query, s.key}) {
      const Tensor turned{of_all.data + offset, {1, 1, size}};
      cpu::rope_forward(frame_.ctx, turned, turned, 1, s.rope_first, s.rope_second);
    }
    const int64_t entry = frame_.number.value % layer.keys.dim(0) * s.key.size() + offset;
    std::copy_n(s.key.data + offset, size, layer.keys.data + entry);
    std::copy_n(s.value.data + offset, size, layer.values.data + entry);
  }

  void feed_forward(const DecodeStepLayer& layer) {
    const DecodeStepScratch& s = frame_.s;
    norm({}, {});
    cpu::film_forward(frame_.ctx, own_.modulated, own_.normed, layer.gamma2, layer.beta2);
    multiply(s.hidden, own_.modulated, layer.expand_w, layer.expand_b, Activation::relu);
    member_.meet();
    multiply(s.branch, s.hidden, layer.reduce_w, layer.reduce_b);
    add_branch();
  }

  const Frame& frame_;
  TeamMember& member_;
  OwnState own_;
};

int64_t weights_of(const DecodeStepModel& model) {
  int64_t count = model.head_w.shape().size();
  for (const DecodeStepLayer& layer : model.layers) {
    for (const WeightMatrix& w : {layer.in_w, layer.out_w, layer.expand_w, layer.reduce_w}) {
      count += w.shape().size();
    }
  }
  return count;
}

}  // namespace

bool fuses_decode_step(int64_t streams) {
  return streams <= kFewRows;
}

void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                         const DecodeStepModel& model, const DecodeStepScratch& scratch,
                         Counter frame, Counter position) {
  cpu::embedding_forward(ctx, scratch.x, tokens, model.embedding);
  cpu::rope_head_tables(ctx, scratch.rope_first, scratch.rope_second, position,
                        scratch.x.dim(1) / model.heads);
  const Frame shared{ctx, logits, model, scratch, frame};
  const int64_t most = std::max<int64_t>(1, weights_of(model) / kLeastWeights);
  run_team(std::min<int64_t>(num_threads(), most),
           [&](TeamMember& member) { FrameMember(shared, member).run(); });
}

}  // namespace dsf::cpu
