#include "engine/model/layers.h"

#include <algorithm>

#include "kernels/attention/attention.h"
#include "kernels/common/memory.h"
#include "kernels/layernorm/layernorm.h"
#include "kernels/layernorm/residual_layernorm.h"
#include "kernels/linear/linear.h"
#include "kernels/rope/rope.h"

namespace dsf {

LinearParameters::LinearParameters(const Builder& build, const std::string& weight,
                                   const std::string& bias)
    : w(build.weight(weight)),
      b(build.weight(bias)),
      dw(build.gradient(weight)),
      db(build.gradient(bias)) {}

LinearParameters LinearParameters::outputs(int64_t begin, int64_t count) const {
  const auto part = [&](Tensor tensor) { return tensor ? tensor.slice(begin, count) : tensor; };
  LinearParameters result;
  result.w = part(w);
  result.b = part(b);
  result.dw = part(dw);
  result.db = part(db);
  return result;
}

ConstTensor LastRows::of(const Context& ctx, const Pass& pass, ConstTensor rows) const {
  const int64_t each = pass.batch * pass.length / rows.rows();  // positions of a row
  if (!pass.last_only || each == pass.length) return rows;
  const int64_t width = rows.cols();
  const Tensor last = view(rows_, {pass.batch, 1, width});
  for (int64_t b = 0; b < pass.batch; ++b) {
    const int64_t row = ((b + 1) * pass.length - 1) / each;
    copy_on_device(ctx, last.data + b * width, rows.data + row * width,
                   static_cast<size_t>(width) * sizeof(float));
  }
  return last;
}

Norm::Norm(const Builder& build, const std::string& name, bool affine)
    : y_(build.arena.tensor(name + ".y", {build.positions, build.config.embed_size})),
      mean_(build.arena.tensor(name + ".mean", {build.positions})),
      rstd_(build.arena.tensor(name + ".rstd", {build.positions})) {
  if (!affine) return;
  weight_ = build.weight(name + ".weight");
  bias_ = build.weight(name + ".bias");
  dweight_ = build.gradient(name + ".weight");
  dbias_ = build.gradient(name + ".bias");
}

Tensor Norm::forward(const Context& ctx, ConstTensor x) {
  const Tensor y = view(y_, x.shape);
  layernorm_forward(ctx, y, mean(x), rstd(x), x, weight_, bias_);
  return y;
}

void Norm::backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x) {
  layernorm_backward(ctx, dx, overwrite(dweight_), overwrite(dbias_), dy, x, mean(x), rstd(x),
                     weight_);
}

Tensor Norm::forward_residual(const Context& ctx, Tensor sum, ConstTensor branch, ConstTensor skip,
                              const DropoutStream& dropout) {
  const Tensor y = view(y_, sum.shape);
  residual_layernorm_forward(ctx, y, sum, mean(sum), rstd(sum), branch, skip, dropout, weight_,
                             bias_);
  return y;
}

void Norm::backward_residual(const Context& ctx, Gradient dsum, Tensor dbranch, ConstTensor dy,
                             ConstTensor sum, const DropoutStream& dropout) {
  residual_layernorm_backward(ctx, dsum, overwrite(dbranch), overwrite(dweight_), overwrite(dbias_),
                              dy, sum, mean(sum), rstd(sum), weight_, dropout);
}

FeedForward::FeedForward(const Builder& build, const std::string& name, int64_t rows)
    : expand_(build, name + ".0"),
      reduce_(build, name + ".2"),
      hidden_(build.arena.tensor(name + ".hidden", {rows, expand_.w.dim(0)})) {
  if (!build.gradients) return;
  dhidden_ = build.arena.tensor("scratch.hidden." + hidden_.shape.str(), hidden_.shape);
}

void FeedForward::forward(const Context& ctx, Tensor y, ConstTensor x) {
  const Tensor hidden = view(hidden_, {x.rows(), expand_.w.dim(0)});
  linear_relu_forward(ctx, hidden, x, expand_.w, expand_.b);
  linear_forward(ctx, y, hidden, reduce_.w, reduce_.b);
}

void FeedForward::backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x) {
  const Tensor hidden = view(hidden_, {x.rows(), expand_.w.dim(0)});
  const Tensor dhidden = view(dhidden_, hidden.shape);
  linear_backward(ctx, overwrite(dhidden), overwrite(reduce_.dw), overwrite(reduce_.db), dy, hidden,
                  reduce_.w);
  linear_relu_backward(ctx, dx, overwrite(expand_.dw), overwrite(expand_.db), dhidden, hidden, x,
                       expand_.w, dhidden);
}

SelfAttention::SelfAttention(const Builder& build, const std::string& name, Rotation rotation,
                             uint32_t dropout_site)
    : twice_(rotation == Rotation::between_projections),
      heads_(build.config.num_heads),
      lookback_(build.config.lookback),
      dropout_site_(dropout_site),
      out_(build, name + ".out_proj") {
  const int64_t e = build.config.embed_size;
  const Shape shape{build.positions, e};
  const LinearParameters in(build, name + ".in_proj_weight", name + ".in_proj_bias");
  const char* letters[3] = {"q", "k", "v"};
  for (int s = 0; s < 3; ++s) {
    Stream& stream = streams_[s];
    const std::string letter = letters[s];
    stream.projection = in.outputs(s * e, e);
    stream.rotated = rotation != Rotation::none && letter != "v";
    stream.projected = build.arena.tensor(name + "." + letter, shape);
    stream.again =
        twice_ ? build.arena.tensor(name + "." + letter + ".again", shape) : stream.projected;
    if (build.gradients) {
      stream.gradient = build.scratch("d" + letter, e);
      stream.inner_gradient = twice_ ? build.scratch("inner", e) : stream.gradient;
    }
  }
  mixed_ = build.arena.tensor(name + ".mixed", shape);
  softmax_ = build.arena.tensor(name + ".softmax", {build.positions, heads_, 3});
  if (build.gradients) dmixed_ = build.scratch("mixed", e);
}

void SelfAttention::forward(const Context& ctx, const Pass& pass, const RopeTables& rope, Tensor y,
                            ConstTensor x, ConstTensor asking) {
  Tensor attended[3];
  for (int s = 0; s < 3; ++s) {
    const Stream& stream = streams_[s];
    const LinearParameters& p = stream.projection;
    const ConstTensor from = s == 0 ? asking : x;
    const Tensor projected = view(stream.projected, from.shape);
    linear_forward(ctx, projected, from, p.w, p.b);
    if (stream.rotated) {
      const RopeTables turns = s == 0 && pass.last_only ? rope.last() : rope;
      rope_forward(ctx, projected, projected, turns.heads, turns.first, turns.second);
    }
    attended[s] = view(stream.again, from.shape);
    if (twice_) linear_forward(ctx, attended[s], projected, p.w, p.b);
  }
  const Tensor mixed = view(mixed_, asking.shape);
  if (pass.last_only) {
    attend_last(ctx, pass, mixed, attended[0], attended[1], attended[2]);
  } else {
    const Tensor softmax = view(softmax_, {pass.batch, heads_, pass.length, 3});
    attention_forward(ctx, mixed, softmax, attended[0], attended[1], attended[2], heads_, lookback_,
                      pass.dropout_at(dropout_site_));
  }
  linear_forward(ctx, y, mixed, out_.w, out_.b);
}

void SelfAttention::attend_last(const Context& ctx, const Pass& pass, Tensor y, ConstTensor q,
                                ConstTensor k, ConstTensor v) const {
  const int64_t e = y.cols(), seen = std::min(pass.length, lookback_ + 1);
  for (int64_t b = 0; b < pass.batch; ++b) {
    const int64_t first = ((b + 1) * pass.length - seen) * e;
    const Shape of_all{seen, 1, e}, of_one{1, e};
    attention_step_forward(ctx, {y.data + b * e, of_one}, {q.data + b * e, of_one},
                           {k.data + first, of_all}, {v.data + first, of_all}, seen - 1, heads_);
  }
}

void SelfAttention::backward(const Context& ctx, const Pass& pass, const RopeTables& rope,
                             Gradient dx, ConstTensor dy, ConstTensor x) {
  const Tensor mixed = view(mixed_, x.shape);
  const Tensor dmixed = view(dmixed_, x.shape);
  linear_backward(ctx, overwrite(dmixed), overwrite(out_.dw), overwrite(out_.db), dy, mixed,
                  out_.w);
  const auto again = [&](int s) { return view(streams_[s].again, x.shape); };
  const auto gradient_of = [&](int s) { return view(streams_[s].gradient, x.shape); };
  attention_backward(ctx, overwrite(gradient_of(0)), overwrite(gradient_of(1)),
                     overwrite(gradient_of(2)), dmixed, mixed,
                     view(softmax_, {pass.batch, heads_, pass.length, 3}), again(0), again(1),
                     again(2), heads_, lookback_, pass.dropout_at(dropout_site_));
  for (int s = 0; s < 3; ++s) {
    const LinearParameters& p = streams_[s].projection;
    Tensor gradient = gradient_of(s);
    auto mode = GradientMode::overwrite;
    if (twice_) {
      const Tensor inner = view(streams_[s].inner_gradient, x.shape);
      linear_backward(ctx, overwrite(inner), overwrite(p.dw), overwrite(p.db), gradient,
                      view(streams_[s].projected, x.shape), p.w);
      gradient = inner;
      mode = GradientMode::accumulate;  // the first use of the same weights adds to the second's
    }
    if (streams_[s].rotated) {
      rope_backward(ctx, overwrite(gradient), gradient, rope.heads, rope.first, rope.second);
    }
    linear_backward(ctx, dx, {p.dw, mode}, {p.db, mode}, gradient, x, p.w);
    dx.mode = GradientMode::accumulate;
  }
}

}  // namespace dsf
