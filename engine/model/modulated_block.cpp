// Upstream's later blocks (class RopeCondDACTransformer of March 2025): the condition modulates,
// and the residual is taken from what was modulated, not from x.
//   m = modulate1(n(x));  y = n(drop(attention(m)) + m);  out = drop(FFN(modulate2(y))) + y
// FiLM: n is a layer norm without affine parameters. AdaLN: n(z) = z, it normalises by itself.
#include <optional>

#include "engine/model/block.h"
#include "engine/model/modulation.h"
#include "kernels/residual/residual.h"

namespace dsf {
namespace {

template <class Modulation>
class ModulatedBlock : public Block {
 public:
  ModulatedBlock(const Builder& build, const std::string& name, int64_t layer, bool normed)
      : modulation1_(build, name + ".conditioning1"),
        modulation2_(build, name + ".conditioning2"),
        last_(build, name, build.config.embed_size),
        last_condition_(build, name + ".condition", build.config.cond_size()),
        attention_(build, name + ".attention", Rotation::between_projections,
                   dropout_site(layer, site_probabilities)),
        feed_forward_(build, name + ".feed_forward", build.positions),
        attention_site_(dropout_site(layer, site_attention)),
        feed_forward_site_(dropout_site(layer, site_feed_forward)) {
    const int64_t e = build.config.embed_size;
    if (normed) {
      norm1_.emplace(build, name + ".norm1", false);
      norm2_.emplace(build, name + ".norm2", false);
    }
    attended_ = build.arena.tensor(name + ".attended", {build.positions, e});
    out_ = build.arena.tensor(name + ".out", {build.positions, e});
    branch_ = build.scratch("branch", e);
    if (build.gradients) dmodulated_ = build.scratch("modulated", e);
  }

  Tensor forward(const Context& ctx, const Pass& pass, const RopeTables& rope, ConstTensor x,
                 ConstTensor condition) override {
    n1_ = norm1_ ? norm1_->forward(ctx, x) : x;
    m1_ = modulation1_.forward(ctx, n1_, condition);
    const ConstTensor skip = last_.of(ctx, pass, m1_);
    const Tensor branch = view(branch_, skip.shape);
    attention_.forward(ctx, pass, rope, branch, m1_, skip);
    const Tensor attended = view(attended_, skip.shape);
    const DropoutStream dropout = pass.dropout_at(attention_site_);
    if (norm2_) {
      n2_ = norm2_->forward_residual(ctx, attended, branch, skip, dropout);
    } else {
      residual_forward(ctx, attended, branch, skip, dropout);
      n2_ = attended;
    }
    m2_ = modulation2_.forward(ctx, n2_, last_condition_.of(ctx, pass, condition));
    feed_forward_.forward(ctx, branch, m2_);
    const Tensor out = view(out_, skip.shape);
    residual_forward(ctx, out, branch, n2_, pass.dropout_at(feed_forward_site_));
    return out;
  }

  void backward(const Context& ctx, const Pass& pass, const RopeTables& rope, Tensor gradient,
                Gradient&, ConstTensor x, ConstTensor condition) override {
    const Tensor dbranch = view(branch_, x.shape);
    const Tensor dmodulated = view(dmodulated_, x.shape);
    residual_backward(ctx, overwrite(dbranch), Gradient{}, gradient,
                      pass.dropout_at(feed_forward_site_));
    feed_forward_.backward(ctx, overwrite(dmodulated), dbranch, m2_);
    modulation2_.backward(ctx, accumulate(gradient), dmodulated, n2_, condition);  // now d n2
    const DropoutStream dropout = pass.dropout_at(attention_site_);
    if (norm2_) {
      norm2_->backward_residual(ctx, overwrite(gradient), dbranch, gradient,
                                view(attended_, x.shape), dropout);
    } else {
      residual_backward(ctx, overwrite(dbranch), Gradient{}, gradient, dropout);
    }
    attention_.backward(ctx, pass, rope, accumulate(gradient), dbranch, m1_);  // now d m1
    modulation1_.backward(ctx, overwrite(gradient), gradient, n1_, condition);
    if (norm1_) norm1_->backward(ctx, overwrite(gradient), gradient, x);
  }

 private:
  std::optional<Norm> norm1_, norm2_;
  Modulation modulation1_, modulation2_;
  LastRows last_, last_condition_;
  SelfAttention attention_;
  FeedForward feed_forward_;
  uint32_t attention_site_, feed_forward_site_;
  Tensor attended_, out_;          // saved
  ConstTensor n1_, n2_, m1_, m2_;  // views of what the layers saved: n(…) and the modulated
  Tensor branch_, dmodulated_;     // scratch
};

}  // namespace

std::unique_ptr<Block> make_film_block(const Builder& build, int64_t layer) {
  return std::make_unique<ModulatedBlock<NetworkFilm>>(build, fmt::format("layers.{}", layer),
                                                       layer, true);
}

std::unique_ptr<Block> make_adaln_block(const Builder& build, int64_t layer) {
  return std::make_unique<ModulatedBlock<AdaLn>>(build, fmt::format("layers.{}", layer), layer,
                                                 false);
}

}  // namespace dsf
