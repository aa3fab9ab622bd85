#pragma once
// How a condition acts on activations: layers that take a position's values and the condition's
// rows, of which each belongs to as many consecutive positions (Block::forward says which). What
// depends on the condition alone is computed once per row.
#include "engine/model/layers.h"
#include "kernels/adaln/adaln.h"

namespace dsf {

/// A linear layer from the condition to E values per row.
class ConditionLinear {
 public:
  ConditionLinear(const Builder& build, const std::string& name);
  /// The rows, valid until the next forward.
  ConstTensor forward(const Context& ctx, ConstTensor condition);
  ConstTensor rows(ConstTensor condition) const { return view(rows_, shape(condition)); }
  /// Where to put the gradient of the rows before backward.
  Gradient drows(ConstTensor condition) const { return overwrite(view(drows_, shape(condition))); }
  /// Adds to `dcondition` what drows() says, or replaces it if it is not `accumulate` yet.
  void backward(const Context& ctx, Gradient& dcondition, ConstTensor condition);

 private:
  Shape shape(ConstTensor condition) const { return {condition.rows(), rows_.cols()}; }

  LinearParameters parameters_;
  Tensor rows_;   // saved
  Tensor drows_;  // scratch
};

/// γ·x + β, γ and β linear in the condition.
class Film {
 public:
  Film(const Builder& build, const std::string& gamma, const std::string& beta);
  Tensor forward(const Context& ctx, ConstTensor x, ConstTensor condition);
  /// dx may be dy. dcondition as Block::backward says.
  void backward(const Context& ctx, Gradient dx, Gradient& dcondition, ConstTensor dy,
                ConstTensor x, ConstTensor condition);

 private:
  ConditionLinear gamma_, beta_;
  Tensor y_;
};

/// Upstream's FiLM: γ and β are linear in the output of a small network of its own.
class NetworkFilm {
 public:
  NetworkFilm(const Builder& build, const std::string& name);
  Tensor forward(const Context& ctx, ConstTensor x, ConstTensor condition);
  /// dx may be dy. The condition is data and gets no gradient.
  void backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x,
                ConstTensor condition);

 private:
  FeedForward network_;
  Film film_;
  Tensor embedding_;   // saved
  Tensor dembedding_;  // scratch
};

/// Upstream's AdaLN: γ·(x − μ)/(σ + 1e-6) + β, where μ, log σ, γ and β are linear in the condition.
class AdaLn {
 public:
  AdaLn(const Builder& build, const std::string& name);
  Tensor forward(const Context& ctx, ConstTensor x, ConstTensor condition);
  /// dx may be dy. The condition is data and gets no gradient.
  void backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x,
                ConstTensor condition);

 private:
  AdalnRows rows(ConstTensor condition) const;

  ConditionLinear mu_, log_sigma_, gamma_, beta_;
  Tensor scale_, y_;  // saved
};

}  // namespace dsf
