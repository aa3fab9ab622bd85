// Upstream's blocks of January 2025: the condition is concatenated to the normed input and reduced;
// the residual is taken from what was reduced, not from x. RopeCondDACTransformer rotates inside
// its attention, PostNormCondDACTransformerDecoder has rotated its embedding.
//   r = reduce([LN1(x), c]);  y = drop(attention(r)) + r;  out = drop(FFN(LN2(y))) + y
#include "engine/model/block.h"
#include "kernels/linear/linear.h"
#include "kernels/residual/residual.h"

namespace dsf {
namespace {

class ConcatBlock : public Block {
 public:
  ConcatBlock(const Builder& build, const std::string& name, int64_t layer, Rotation rotation)
      : norm1_(build, name + ".norm1", true),
        norm2_(build, name + ".norm2", true),
        last_(build, name, build.config.embed_size),
        reduce_(build, name + ".linear_reduce"),
        attention_(build, name + ".attention", rotation, dropout_site(layer, site_probabilities)),
        feed_forward_(build, name + ".feed_forward", build.positions),
        attention_site_(dropout_site(layer, site_attention)),
        feed_forward_site_(dropout_site(layer, site_feed_forward)) {
    const int64_t e = build.config.embed_size;
    const Shape shape{build.positions, e};
    reduced_ = build.arena.tensor(name + ".reduced", shape);
    attended_ = build.arena.tensor(name + ".attended", shape);
    out_ = build.arena.tensor(name + ".out", shape);
    branch_ = build.scratch("branch", e);
    condition_rows_ = build.arena.tensor("scratch.condition", {build.condition_rows, e});
    if (build.gradients) dnormed_ = build.scratch("normed", e);
  }

  Tensor forward(const Context& ctx, const Pass& pass, const RopeTables& rope, ConstTensor x,
                 ConstTensor condition) override {
    normed1_ = norm1_.forward(ctx, x);
    const Tensor reduced = view(reduced_, x.shape);
    linear_concat_forward(ctx, reduced, normed1_, condition, reduce_.w, reduce_.b,
                          view(condition_rows_, {condition.rows(), x.cols()}));
    const ConstTensor skip = last_.of(ctx, pass, reduced);
    const Tensor branch = view(branch_, skip.shape);
    attention_.forward(ctx, pass, rope, branch, reduced, skip);
    const Tensor attended = view(attended_, skip.shape);
    normed2_ =
        norm2_.forward_residual(ctx, attended, branch, skip, pass.dropout_at(attention_site_));
    feed_forward_.forward(ctx, branch, normed2_);
    const Tensor out = view(out_, skip.shape);
    residual_forward(ctx, out, branch, attended, pass.dropout_at(feed_forward_site_));
    return out;
  }

  void backward(const Context& ctx, const Pass& pass, const RopeTables& rope, Tensor gradient,
                Gradient&, ConstTensor x, ConstTensor condition) override {
    const Tensor dbranch = view(branch_, x.shape);
    const Tensor dnormed = view(dnormed_, x.shape);
    residual_backward(ctx, overwrite(dbranch), Gradient{}, gradient,
                      pass.dropout_at(feed_forward_site_));
    feed_forward_.backward(ctx, overwrite(dnormed), dbranch, normed2_);
    norm2_.backward_residual(ctx, accumulate(gradient), dbranch, dnormed, view(attended_, x.shape),
                             pass.dropout_at(attention_site_));
    attention_.backward(ctx, pass, rope, accumulate(gradient), dbranch, view(reduced_, x.shape));
    linear_concat_backward(ctx, overwrite(dnormed), overwrite(reduce_.dw), overwrite(reduce_.db),
                           gradient, normed1_, condition, reduce_.w,
                           view(condition_rows_, {condition.rows(), x.cols()}));
    // Nothing passes by this block: x is seen through the norm only.
    norm1_.backward(ctx, overwrite(gradient), dnormed, x);
  }

 private:
  Norm norm1_, norm2_;
  LastRows last_;
  LinearParameters reduce_;
  SelfAttention attention_;
  FeedForward feed_forward_;
  uint32_t attention_site_, feed_forward_site_;
  Tensor reduced_, attended_, out_;           // saved
  Tensor normed1_, normed2_;                  // views of what the norms saved
  Tensor branch_, condition_rows_, dnormed_;  // scratch
};

}  // namespace

std::unique_ptr<Block> make_concat_block(const Builder& build, int64_t layer) {
  const Rotation rotation = build.config.model_class == ModelClass::postnorm_concat
                                ? Rotation::none
                                : Rotation::between_projections;
  return std::make_unique<ConcatBlock>(build, fmt::format("layers.{}", layer), layer, rotation);
}

}  // namespace dsf
