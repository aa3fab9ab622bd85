#pragma once
// The parts that blocks of every model class are made of. Each has its forward and, beneath it, its
// backward; what a forward saves lies in the arena under the layer's name, scratch is shared.
// A backward replaces the gradients of its parameters.
#include <string>

#include "engine/model/arena.h"
#include "engine/model/parameters.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/context.h"
#include "kernels/common/counter.h"
#include "kernels/common/random.h"

namespace dsf {

/// What layers are built from: where parameters, their gradients (empty: no training) and buffers
/// are, and the largest pass they must hold.
struct Builder {
  const ModelConfig& config;
  const ParameterTable& table;
  Tensor weights;
  Tensor gradients;
  Arena& arena;
  int64_t positions = 0;  // batch · length
  int64_t batch = 0;
  int64_t condition_rows = 0;  // distinct conditioning vectors

  Tensor weight(const std::string& name) const { return table.view(weights, name); }
  Tensor gradient(const std::string& name) const {
    return gradients ? table.view(gradients, name) : Tensor{};
  }
  /// Scratch of `width` floats per position, shared by all layers that name it so.
  Tensor scratch(const std::string& name, int64_t width) const {
    return arena.tensor("scratch." + name, {positions, width});
  }
};

/// One forward, and its backward: sizes, and the dropout of that optimizer step.
struct Pass {
  int64_t batch = 0;   // B
  int64_t length = 0;  // T
  float dropout = 0;   // 0 outside training
  uint64_t seed = 0;
  Counter step = 0;
  bool last_only = false;  // of the positions that a block gives; forward only, without dropout

  Shape shape(int64_t width) const { return {batch, length, width}; }
  DropoutStream dropout_at(uint32_t site) const {
    return {
        dropout, {seed, purpose_dropout + site, static_cast<uint32_t>(step.value)}, step.device};
  }
};

/// The rotation of each position: tables [T, F] as kernels/rope takes them.
struct RopeTables {
  ConstTensor first, second;
  int64_t heads = 1;

  RopeTables last() const {
    const int64_t length = first.dim(0);
    return {first.slice(length - 1, 1), second.slice(length - 1, 1), heads};
  }
};

/// Weight [O, I] and bias [O] of a linear layer with their gradients.
struct LinearParameters {
  Tensor w, b, dw, db;

  LinearParameters() = default;
  LinearParameters(const Builder& build, const std::string& weight, const std::string& bias);
  /// The layer `name`, as torch.nn.Linear calls its parameters.
  LinearParameters(const Builder& build, const std::string& name)
      : LinearParameters(build, name + ".weight", name + ".bias") {}
  /// The layer that gives outputs begin … begin+count−1 only.
  LinearParameters outputs(int64_t begin, int64_t count) const;
};

/// Of rows [R, W] or [B, T, W] of a pass, each of which belongs to B·T/R consecutive positions,
/// those of the sequences' last positions.
class LastRows {
 public:
  LastRows(const Builder& build, const std::string& name, int64_t width)
      : rows_(build.arena.tensor(name + ".last", {build.batch, 1, width})) {}
  /// [B, 1, W], valid until the next; `rows` themselves where the pass gives all positions, or they
  /// are one for each sequence.
  ConstTensor of(const Context& ctx, const Pass& pass, ConstTensor rows) const;

 private:
  Tensor rows_;
};

/// LayerNorm, with weight and bias if `affine`.
class Norm {
 public:
  Norm(const Builder& build, const std::string& name, bool affine);
  Tensor forward(const Context& ctx, ConstTensor x);
  void backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x);
  /// The norm of a residual connection, as one op with it: writes sum = dropout(branch) + skip.
  Tensor forward_residual(const Context& ctx, Tensor sum, ConstTensor branch, ConstTensor skip,
                          const DropoutStream& dropout);
  /// Gives dsum what reaches sum through the norm; it is then skip's gradient. Writes dbranch.
  void backward_residual(const Context& ctx, Gradient dsum, Tensor dbranch, ConstTensor dy,
                         ConstTensor sum, const DropoutStream& dropout);

 private:
  /// Of the rows of the last forward.
  Tensor mean(ConstTensor x) const { return view(mean_, {x.rows()}); }
  Tensor rstd(ConstTensor x) const { return view(rstd_, {x.rows()}); }

  Tensor weight_, bias_, dweight_, dbias_;
  Tensor y_, mean_, rstd_;
};

/// W2·relu(W1·x + b1) + b2 of at most `rows` rows: of positions, or of a condition.
class FeedForward {
 public:
  FeedForward(const Builder& build, const std::string& name, int64_t rows);
  /// Writes y.
  void forward(const Context& ctx, Tensor y, ConstTensor x);
  void backward(const Context& ctx, Gradient dx, ConstTensor dy, ConstTensor x);

 private:
  LinearParameters expand_, reduce_;
  Tensor hidden_, dhidden_;
};

/// Where the rotation of positions stands in an attention: nowhere (positions are told before it),
/// after the projection (heads rotate on their own), or, as upstream has it, between two
/// projections by the same weights.
enum class Rotation { none, after_projection, between_projections };

/// Banded causal self-attention with output projection.
class SelfAttention {
 public:
  SelfAttention(const Builder& build, const std::string& name, Rotation rotation,
                uint32_t dropout_site);
  /// Writes y: of the positions of `asking`, which is x, or, in a pass that gives the last alone,
  /// these of x.
  void forward(const Context& ctx, const Pass& pass, const RopeTables& rope, Tensor y,
               ConstTensor x, ConstTensor asking);
  void backward(const Context& ctx, const Pass& pass, const RopeTables& rope, Gradient dx,
                ConstTensor dy, ConstTensor x);

 private:
  /// y [B, 1, E] of queries of the same shape.
  void attend_last(const Context& ctx, const Pass& pass, Tensor y, ConstTensor q, ConstTensor k,
                   ConstTensor v) const;

  struct Stream {  // of queries, keys or values
    LinearParameters projection;
    Tensor projected;       // x·W, rotated in place where `rotated`
    Tensor again;           // projected·W where projected twice, else the same buffer
    Tensor gradient;        // scratch
    Tensor inner_gradient;  // scratch
    bool rotated = false;
  };
  bool twice_;
  int64_t heads_, lookback_;
  uint32_t dropout_site_;
  Stream streams_[3];
  LinearParameters out_;
  Tensor mixed_, softmax_, dmixed_;
};

}  // namespace dsf
