// The block of this project's own StreamingDACTransformer: pre-norm, conditioned by FiLM.
//   y = drop(attention(FiLM1(LN(x)))) + x;  out = drop(FFN(FiLM2(LN(y)))) + y
// `condition` is the embedding e of the conditioning network; γ and β of each FiLM are linear in e.
#include "engine/model/block.h"
#include "kernels/film/film.h"
#include "kernels/linear/linear.h"
#include "kernels/residual/residual.h"

namespace dsf {
namespace {

/// FiLM(LN(x)), with γ and β computed once per row of the condition.
class ConditionedNorm {
 public:
  ConditionedNorm(const Builder& build, const std::string& name)
      : norm_(build, name + ".norm", false),
        gamma_(build, name + ".gamma.weight", name + ".gamma.bias"),
        beta_(build, name + ".beta.weight", name + ".beta.bias") {
    const Shape rows{build.condition_rows, build.config.embed_size};
    gamma_rows_ = build.arena.tensor(name + ".gamma", rows);
    beta_rows_ = build.arena.tensor(name + ".beta", rows);
    y_ = build.arena.tensor(name + ".y", {build.positions, build.config.embed_size});
    if (!build.gradients) return;
    dgamma_ = build.arena.tensor("scratch.dgamma", rows);
    dbeta_ = build.arena.tensor("scratch.dbeta", rows);
    dnormed_ = build.scratch("normed", build.config.embed_size);
  }

  Tensor forward(const Context& ctx, const Pass& pass, ConstTensor x, ConstTensor condition) {
    const Shape rows{condition.rows(), x.cols()};
    linear_forward(ctx, view(gamma_rows_, rows), condition, gamma_.w, gamma_.b);
    linear_forward(ctx, view(beta_rows_, rows), condition, beta_.w, beta_.b);
    normed_ = norm_.forward(ctx, pass, x);
    const Tensor y = view(y_, x.shape);
    film_forward(ctx, y, normed_, view(gamma_rows_, rows), view(beta_rows_, rows));
    return y;
  }

  /// dx += …; dcondition as Block::backward says.
  void backward(const Context& ctx, Tensor dx, Gradient& dcondition, ConstTensor dy, ConstTensor x,
                ConstTensor condition) {
    const Shape rows{condition.rows(), x.cols()};
    const Tensor dgamma = view(dgamma_, rows);
    const Tensor dbeta = view(dbeta_, rows);
    const Tensor dnormed = view(dnormed_, x.shape);
    film_backward(ctx, overwrite(dnormed), overwrite(dgamma), overwrite(dbeta), dy, normed_,
                  view(gamma_rows_, rows));
    linear_backward(ctx, dcondition, overwrite(gamma_.dw), overwrite(gamma_.db), dgamma, condition,
                    gamma_.w);
    dcondition.mode = GradientMode::accumulate;
    linear_backward(ctx, dcondition, overwrite(beta_.dw), overwrite(beta_.db), dbeta, condition,
                    beta_.w);
    norm_.backward(ctx, accumulate(dx), dnormed, x);
  }

  Tensor y(const Shape& shape) const { return view(y_, shape); }

 private:
  Norm norm_;
  LinearParameters gamma_, beta_;
  Tensor gamma_rows_, beta_rows_, y_;  // saved
  Tensor normed_;                      // view of what the norm saved
  Tensor dgamma_, dbeta_, dnormed_;    // scratch
};

class StreamingBlock : public Block {
 public:
  StreamingBlock(const Builder& build, const std::string& name, int64_t layer)
      : film1_(build, name + ".film1"),
        film2_(build, name + ".film2"),
        attention_(build, name + ".attention", SelfAttention::Projection::once,
                   dropout_site(layer, site_probabilities)),
        feed_forward_(build, name + ".feed_forward"),
        attention_site_(dropout_site(layer, site_attention)),
        feed_forward_site_(dropout_site(layer, site_feed_forward)) {
    const int64_t e = build.config.embed_size;
    attended_ = build.arena.tensor(name + ".attended", {build.positions, e});
    out_ = build.arena.tensor(name + ".out", {build.positions, e});
    branch_ = build.scratch("branch", e);
    if (build.gradients) dfilm_ = build.scratch("film", e);
  }

  Tensor forward(const Context& ctx, const Pass& pass, const RopeTables& rope, ConstTensor x,
                 ConstTensor condition) override {
    const Tensor branch = view(branch_, x.shape);
    attention_.forward(ctx, pass, rope, branch, film1_.forward(ctx, pass, x, condition));
    const Tensor attended = view(attended_, x.shape);
    residual_forward(ctx, attended, branch, x, pass.dropout_at(attention_site_));
    feed_forward_.forward(ctx, pass, branch, film2_.forward(ctx, pass, attended, condition));
    const Tensor out = view(out_, x.shape);
    residual_forward(ctx, out, branch, attended, pass.dropout_at(feed_forward_site_));
    return out;
  }

  void backward(const Context& ctx, const Pass& pass, const RopeTables& rope, Tensor gradient,
                Gradient& dcondition, ConstTensor x, ConstTensor condition) override {
    const Tensor dbranch = view(branch_, x.shape);
    const Tensor dfilm = view(dfilm_, x.shape);
    const Tensor attended = view(attended_, x.shape);
    residual_backward(ctx, overwrite(dbranch), Gradient{}, gradient,
                      pass.dropout_at(feed_forward_site_));
    feed_forward_.backward(ctx, pass, dfilm, dbranch, film2_.y(x.shape));
    film2_.backward(ctx, gradient, dcondition, dfilm, attended, condition);  // now d attended
    residual_backward(ctx, overwrite(dbranch), Gradient{}, gradient,
                      pass.dropout_at(attention_site_));
    attention_.backward(ctx, pass, rope, overwrite(dfilm), dbranch, film1_.y(x.shape));
    film1_.backward(ctx, gradient, dcondition, dfilm, x, condition);
  }

 private:
  ConditionedNorm film1_, film2_;
  SelfAttention attention_;
  FeedForward feed_forward_;
  uint32_t attention_site_, feed_forward_site_;
  Tensor attended_, out_;  // saved
  Tensor branch_, dfilm_;  // scratch
};

}  // namespace

std::unique_ptr<Block> make_streaming_block(const Builder& build, int64_t layer) {
  return std::make_unique<StreamingBlock>(build, fmt::format("layers.{}", layer), layer);
}

}  // namespace dsf
