#include "engine/model/modulation.h"

#include "kernels/film/film.h"
#include "kernels/linear/linear.h"

namespace dsf {

ConditionLinear::ConditionLinear(const Builder& build, const std::string& name)
    : parameters_(build, name) {
  const Shape shape{build.condition_rows, build.config.embed_size};
  rows_ = build.arena.tensor(name + ".rows", shape);
  if (!build.gradients) return;
  drows_ = build.arena.tensor("scratch.rows" + name.substr(name.rfind('.')), shape);
}

ConstTensor ConditionLinear::forward(const Context& ctx, ConstTensor condition) {
  const Tensor rows = view(rows_, shape(condition));
  linear_forward(ctx, rows, condition, parameters_.w, parameters_.b);
  return rows;
}

void ConditionLinear::backward(const Context& ctx, Gradient& dcondition, ConstTensor condition) {
  linear_backward(ctx, dcondition, overwrite(parameters_.dw), overwrite(parameters_.db),
                  drows(condition).tensor, condition, parameters_.w);
  dcondition.mode = GradientMode::accumulate;
}

Film::Film(const Builder& build, const std::string& gamma, const std::string& beta)
    : gamma_(build, gamma),
      beta_(build, beta),
      y_(build.arena.tensor(gamma + ".film", {build.positions, build.config.embed_size})) {}

Tensor Film::forward(const Context& ctx, ConstTensor x, ConstTensor condition) {
  const Tensor y = view(y_, x.shape);
  film_forward(ctx, y, x, gamma_.forward(ctx, condition), beta_.forward(ctx, condition));
  return y;
}

void Film::backward(const Context& ctx, Gradient dx, Gradient& dcondition, ConstTensor dy,
                    ConstTensor x, ConstTensor condition) {
  film_backward(ctx, dx, gamma_.drows(condition), beta_.drows(condition), dy, x,
                gamma_.rows(condition));
  gamma_.backward(ctx, dcondition, condition);
  beta_.backward(ctx, dcondition, condition);
}

NetworkFilm::NetworkFilm(const Builder& build, const std::string& name)
    : network_(build, name + ".cond_embedding.mlp", build.condition_rows),
      film_(build, name + ".linear_gamma", name + ".linear_beta") {
  const Shape rows{build.condition_rows, kConditioningWidth};
  embedding_ = build.arena.tensor(name + ".embedding", rows);
  if (build.gradients) dembedding_ = build.arena.tensor("scratch.embedding", rows);
}

Tensor NetworkFilm::forward(const Context& ctx, ConstTensor x, ConstTensor condition) {
  const Tensor embedding = view(embedding_, {condition.rows(), kConditioningWidth});
  network_.forward(ctx, embedding, condition);
  return film_.forward(ctx, x, embedding);
}

void NetworkFilm::backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x,
                           ConstTensor condition) {
  const Shape rows{condition.rows(), kConditioningWidth};
  Gradient dembedding = overwrite(view(dembedding_, rows));
  film_.backward(ctx, dx, dembedding, dy, x, view(embedding_, rows));
  network_.backward(ctx, Gradient{}, dembedding.tensor, condition);
}

AdaLn::AdaLn(const Builder& build, const std::string& name)
    : mu_(build, name + ".linear_mu"),
      log_sigma_(build, name + ".linear_sigma"),
      gamma_(build, name + ".linear_gamma"),
      beta_(build, name + ".linear_beta") {
  const int64_t e = build.config.embed_size;
  scale_ = build.arena.tensor(name + ".scale", {build.condition_rows, e});
  y_ = build.arena.tensor(name + ".y", {build.positions, e});
}

AdalnRows AdaLn::rows(ConstTensor condition) const {
  return {mu_.rows(condition), log_sigma_.rows(condition), gamma_.rows(condition),
          beta_.rows(condition)};
}

Tensor AdaLn::forward(const Context& ctx, ConstTensor x, ConstTensor condition) {
  for (ConditionLinear* layer : {&mu_, &log_sigma_, &gamma_, &beta_}) {
    layer->forward(ctx, condition);
  }
  const Tensor y = view(y_, x.shape);
  adaln_forward(ctx, y, view(scale_, {condition.rows(), x.cols()}), x, rows(condition));
  return y;
}

void AdaLn::backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x,
                     ConstTensor condition) {
  const AdalnGradients drows{mu_.drows(condition), log_sigma_.drows(condition),
                             gamma_.drows(condition), beta_.drows(condition)};
  adaln_backward(ctx, dx, drows, dy, x, view(scale_, {condition.rows(), x.cols()}),
                 rows(condition));
  Gradient none;
  for (ConditionLinear* layer : {&mu_, &log_sigma_, &gamma_, &beta_}) {
    layer->backward(ctx, none, condition);
  }
}

}  // namespace dsf
