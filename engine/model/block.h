#pragma once
// One layer of a model.
#include <memory>

#include "engine/model/layers.h"

namespace dsf {

class Block {
 public:
  virtual ~Block() = default;
  /// Gives y [B, T, E], or [B, 1, E] where the pass gives the last position alone, which stays
  /// valid (and is what the next block's backward needs) until the next forward. `condition` [R, …]
  /// is what the model class feeds its blocks: row r belongs to the B·T/R consecutive positions
  /// from r·B·T/R.
  virtual Tensor forward(const Context& ctx, const Pass& pass, const RopeTables& rope,
                         ConstTensor x, ConstTensor condition) = 0;
  /// Takes the gradient of y in `gradient` and leaves that of x there. Where the condition is
  /// learned, gives its gradient to `dcondition`, which is `accumulate` from then on; else that is
  /// empty. x and condition as in the forward.
  virtual void backward(const Context& ctx, const Pass& pass, const RopeTables& rope,
                        Tensor gradient, Gradient& dcondition, ConstTensor x,
                        ConstTensor condition) = 0;
};

/// Layer `layer` of a model of the builder's class.
std::unique_ptr<Block> make_block(const Builder& build, int64_t layer);

// What it chooses from; each has its file.
std::unique_ptr<Block> make_concat_block(const Builder& build, int64_t layer);
std::unique_ptr<Block> make_film_block(const Builder& build, int64_t layer);
std::unique_ptr<Block> make_adaln_block(const Builder& build, int64_t layer);
std::unique_ptr<Block> make_streaming_block(const Builder& build, int64_t layer);

/// The dropout sites of a model: after the embedding, and three in each layer.
enum DropoutSite : uint32_t { site_embedding = 0, site_layers = 1 };
enum BlockDropoutSite : uint32_t {
  site_probabilities,
  site_attention,
  site_feed_forward,
  site_count
};

inline uint32_t dropout_site(int64_t layer, BlockDropoutSite site) {
  return site_layers + static_cast<uint32_t>(layer) * site_count + site;
}

}  // namespace dsf
