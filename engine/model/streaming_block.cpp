// The block of this project's own StreamingDACTransformer: pre-norm, conditioned by FiLM.
//   y = drop(attention(FiLM1(LN(x)))) + x;  out = drop(FFN(FiLM2(LN(y)))) + y
// `condition` is the embedding e of the conditioning network; γ and β of each FiLM are linear in e.
#include "engine/model/block.h"
#include "engine/model/modulation.h"
#include "kernels/residual/residual.h"

namespace dsf {
namespace {

class StreamingBlock : public Block {
 public:
  StreamingBlock(const Builder& build, const std::string& name, int64_t layer)
      : norm1_(build, name + ".film1.norm", false),
        norm2_(build, name + ".film2.norm", false),
        film1_(build, name + ".film1.gamma", name + ".film1.beta"),
        film2_(build, name + ".film2.gamma", name + ".film2.beta"),
        last_(build, name, build.config.embed_size),
        last_modulated_(build, name + ".modulated", build.config.embed_size),
        last_condition_(build, name + ".condition", kConditioningWidth),
        attention_(build, name + ".attention", Rotation::after_projection,
                   dropout_site(layer, site_probabilities)),
        feed_forward_(build, name + ".feed_forward", build.positions),
        attention_site_(dropout_site(layer, site_attention)),
        feed_forward_site_(dropout_site(layer, site_feed_forward)) {
    const int64_t e = build.config.embed_size;
    attended_ = build.arena.tensor(name + ".attended", {build.positions, e});
    out_ = build.arena.tensor(name + ".out", {build.positions, e});
    branch_ = build.scratch("branch", e);
    if (build.gradients) dmodulated_ = build.scratch("modulated", e);
  }

  Tensor forward(const Context& ctx, const Pass& pass, const RopeTables& rope, ConstTensor x,
                 ConstTensor condition) override {
    normed1_ = norm1_.forward(ctx, x);
    modulated1_ = film1_.forward(ctx, normed1_, condition);
    const ConstTensor skip = last_.of(ctx, pass, x);
    const Tensor branch = view(branch_, skip.shape);
    attention_.forward(ctx, pass, rope, branch, modulated1_,
                       last_modulated_.of(ctx, pass, modulated1_));
    const Tensor attended = view(attended_, skip.shape);
    normed2_ =
        norm2_.forward_residual(ctx, attended, branch, skip, pass.dropout_at(attention_site_));
    modulated2_ = film2_.forward(ctx, normed2_, last_condition_.of(ctx, pass, condition));
    feed_forward_.forward(ctx, branch, modulated2_);
    const Tensor out = view(out_, skip.shape);
    residual_forward(ctx, out, branch, attended, pass.dropout_at(feed_forward_site_));
    return out;
  }

  void backward(const Context& ctx, const Pass& pass, const RopeTables& rope, Tensor gradient,
                Gradient& dcondition, ConstTensor x, ConstTensor condition) override {
    const Tensor dbranch = view(branch_, x.shape);
    const Tensor dmodulated = view(dmodulated_, x.shape);
    residual_backward(ctx, overwrite(dbranch), Gradient{}, gradient,
                      pass.dropout_at(feed_forward_site_));
    feed_forward_.backward(ctx, overwrite(dmodulated), dbranch, modulated2_);
    film2_.backward(ctx, overwrite(dmodulated), dcondition, dmodulated, normed2_, condition);
    norm2_.backward_residual(ctx, accumulate(gradient), dbranch, dmodulated,
                             view(attended_, x.shape), pass.dropout_at(attention_site_));
    attention_.backward(ctx, pass, rope, overwrite(dmodulated), dbranch, modulated1_);
    film1_.backward(ctx, overwrite(dmodulated), dcondition, dmodulated, normed1_, condition);
    norm1_.backward(ctx, accumulate(gradient), dmodulated, x);
  }

 private:
  Norm norm1_, norm2_;
  Film film1_, film2_;
  LastRows last_, last_modulated_, last_condition_;
  SelfAttention attention_;
  FeedForward feed_forward_;
  uint32_t attention_site_, feed_forward_site_;
  Tensor attended_, out_;                               // saved
  Tensor normed1_, normed2_, modulated1_, modulated2_;  // views of what the layers saved
  Tensor branch_, dmodulated_;                          // scratch
};

}  // namespace

std::unique_ptr<Block> make_streaming_block(const Builder& build, int64_t layer) {
  return std::make_unique<StreamingBlock>(build, fmt::format("layers.{}", layer), layer);
}

}  // namespace dsf
