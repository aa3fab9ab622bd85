#pragma once
// New frames of codes from a trained model.
#include <functional>
#include <memory>
#include <vector>

#include "engine/model/transformer.h"
#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf {

/// Gives one frame after another. The conditioning passed with a frame is the one in force when it
/// is drawn; the frame itself is then heard under it (upstream's order is kept by its window
/// class).
class FrameGenerator {
 public:
  virtual ~FrameGenerator() = default;
  /// The next frame, N codes, drawn under conditioning `cond` (C values). Valid until the next
  /// call.
  virtual ConstIndexTensor next(const Context& ctx, const float* cond) = 0;
  /// The logits [N, V] that the last frame was drawn from.
  virtual ConstTensor logits() const = 0;
};

struct GenerationOptions {
  SampleSettings sampling;
  uint64_t seed = 0;
};

/// StreamingDACTransformer with ring caches: constant time per frame, starting from its start
/// frame.
std::unique_ptr<FrameGenerator> make_cached_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options);

/// Upstream's way, for its classes: the whole window of Ti frames is recomputed for every frame,
/// and frame s is drawn under the conditioning passed with frame s−1 (frame 0 under its own).
/// `prime` [Ti, N] is the first window; empty: random codes from the seed.
std::unique_ptr<FrameGenerator> make_window_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime = {});

/// The generator of a model's class.
std::unique_ptr<FrameGenerator> make_generator(const ModelConfig& config,
                                               const ParameterTable& table, Tensor weights,
                                               const GenerationOptions& options);

}  // namespace dsf
