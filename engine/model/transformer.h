#pragma once
// A model of any class, written once against ops: embedding, blocks, head.
#include <memory>
#include <optional>
#include <vector>

#include "engine/model/block.h"

namespace dsf {

/// The largest pass a model can make, fixed when it is built.
struct Capacity {
  int64_t batch = 1;
  int64_t length = 1;
  int64_t condition_rows = 1;  // distinct conditioning vectors; 0: one per position
  bool training = false;       // with gradients
};

/// What a pass reads, in the memory of its device. tokens [B, T, N] hold codes 0 … V−1, and for
/// StreamingDACTransformer the start frame, code V in every codebook. Row r of cond [R, C] belongs
/// to the B·T/R consecutive positions from r·B·T/R: R = B for conditioning that is constant over
/// each sequence, R = B·T for any other.
struct Batch {
  ConstIndexTensor tokens;
  ConstTensor cond;
};

/// Dropout of a training pass; the default is none.
struct PassOptions {
  float dropout = 0;
  uint64_t seed = 0;
  Counter step = 0;
  int64_t first_position = 0;  // of the sequence's first frame (StreamingDACTransformer only)
  /// Gives logits [B, 1, N·V] of the last position, of which the last block computes no others;
  /// without dropout and backward.
  bool last_logits_only = false;
};

class Transformer {
 public:
  /// In the memory of the context's device: passes must have contexts of the same. One whose memory
  /// is only counted makes no passes.
  Transformer(const ModelConfig& config, const Capacity& capacity, const Context& ctx = {},
              Arena::Memory memory = Arena::Memory::held);

  const ModelConfig& config() const { return config_; }
  const ParameterTable& table() const { return table_; }
  const Arena& arena() const { return arena_; }
  /// Flat buffers [table().size()]; gradients are empty without training.
  Tensor weights() const { return weights_; }
  Tensor gradients() const { return gradients_; }
  Tensor weight(const std::string& name) const { return table_.view(weights_, name); }

  /// logits [B, T, N·V] (but see PassOptions), valid (and free for the caller to overwrite) until
  /// the next forward.
  Tensor forward(const Context& ctx, const Batch& batch, const PassOptions& options = {});
  /// Replaces all gradients by those of a loss whose gradient by the logits of the last forward
  /// (of all positions) is `dlogits`. Reads the batch of that forward again.
  void backward(const Context& ctx, ConstTensor dlogits, const Batch& batch);

 private:
  /// Whether positions are told by turning the embedding, not within the attention.
  bool rotates_embedding() const { return config_.model_class == ModelClass::postnorm_concat; }
  void prepare_rope(const Context& ctx, int64_t length, int64_t first_position);
  ConstTensor embed_condition(const Context& ctx, ConstTensor cond);
  /// The embedding tables [N, V, E/N] in a flat buffer: what every class's table begins with.
  Tensor embedding_tables(Tensor flat) const;

  ModelConfig config_;
  Capacity capacity_;
  ParameterTable table_;
  Arena arena_;
  Tensor weights_, gradients_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::optional<Norm> final_norm_;                // StreamingDACTransformer
  std::optional<FeedForward> condition_network_;  // the same: its blocks share one
  LinearParameters head_;
  Tensor rope_first_, rope_second_;  // tables, rebuilt when the positions change
  int64_t rope_length_ = 0, rope_position_ = 0;
  RopeTables rope_;
  Tensor embedded_, gradient_, dnormed_, logits_;
  Tensor condition_embedding_, dcondition_;
  // Of the last forward, for backward.
  Pass pass_;
  ConstTensor condition_, head_input_;
  std::vector<ConstTensor> inputs_;  // of each block, then the last block's output
};

}  // namespace dsf
