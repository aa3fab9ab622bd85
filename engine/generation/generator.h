#pragma once
// New frames of codes from a trained model, for one or several streams at once.
#include <functional>
#include <memory>
#include <vector>

#include "engine/model/transformer.h"
#include "kernels/common/weight_matrix.h"
#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf {

/// Gives one frame after another. The conditioning passed with a frame is the one in force when it
/// is drawn, or, where codebooks are delayed, when its last code is (see lookahead); the frame
/// itself is then heard under it (upstream's order is kept by its window class).
class FrameGenerator {
 public:
  virtual ~FrameGenerator() = default;
  /// Draws the next frame of all B streams under conditioning `cond` (C values). On a GPU it is
  /// queued only, and so may `capacity` frames be before they are fetched.
  virtual void draw(const float* cond) = 0;
  virtual int64_t capacity() const { return 1; }
  /// Where codebooks are delayed, a frame is whole so many frames after its first code was drawn:
  /// the conditioning to pass with a frame is that of the frame so many later. What the first draw
  /// does before (the prime, the first codes of the next frames) it does under the same.
  virtual int64_t lookahead() const { return 0; }
  /// The codes [F, B, N] of the F frames drawn since the last call. Valid until the next draw.
  virtual ConstIndexTensor fetch() = 0;
  /// Draws one frame and gives its codes [B, N].
  ConstIndexTensor next(const float* cond) {
    draw(cond);
    const ConstIndexTensor codes = fetch();
    return codes.reshaped({codes.dim(1), codes.dim(2)});
  }
  /// Makes `cond` the conditioning of all that is drawn from next, as if it had been in force all
  /// the time. False, and nothing is done, where more than codes and conditions is kept from frame
  /// to frame.
  virtual bool replace_conditioning(const float* /*cond*/) { return false; }
  /// The logits [B·N, V] that the last codes were drawn from, on the generator's device. Where
  /// codebooks are delayed, codebook n's are those of the frame lookahead − n after the last one.
  virtual ConstTensor logits() const = 0;
};

struct GenerationOptions {
  SampleSettings sampling;
  /// One per stream: how many there are. A stream depends on no other, except that products of
  /// more rows may round differently (float32), which in rare draws decides for another code.
  std::vector<uint64_t> seeds = {0};
  /// The first new frame's number, which chooses its random numbers. Where a file of P frames is
  /// continued it is P, so that going on with the same seed is what an uninterrupted run does.
  int64_t first_frame = 0;
  /// A GPU queues all ops of a cached generator's frame, also where it could do them in one launch
  /// (kernels/decode_step): to compare the two.
  bool composed = false;
  /// What a cached generator keeps a frame's matrices in; for a window's products float32 alone.
  WeightFormat weights = WeightFormat::fp32;
};

// Generators run on a context's device. `weights` is flat, in the host's memory; on the CPU it must
// outlive a cached generator. Codes come and go in the host's memory.

/// Random codes [B, Ti, N], each stream's from its seed: upstream's beginning.
std::vector<int32_t> random_prime(const ModelConfig& config, const std::vector<uint64_t>& seeds);

/// StreamingDACTransformer with ring caches: constant time per frame, starting from its start
/// frame. `prime`, [P, N] for all streams or [B, P, N], are frames that follow the start frame
/// before the first new one; they pass through the caches under the first conditioning.
std::unique_ptr<FrameGenerator> make_cached_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime = {},
                                                      const Context& ctx = {});

/// Upstream's way, for its classes: the whole window of Ti frames is recomputed for every frame,
/// and frame s is drawn under the conditioning passed with frame s−1 (frame 0 under its own).
/// The last Ti frames of `prime` are the first window; empty: random codes from the seeds.
std::unique_ptr<FrameGenerator> make_window_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime = {},
                                                      const Context& ctx = {});

/// The generator of a model's class.
std::unique_ptr<FrameGenerator> make_generator(const ModelConfig& config,
                                               const ParameterTable& table, Tensor weights,
                                               const GenerationOptions& options,
                                               ConstIndexTensor prime = {},
                                               const Context& ctx = {});

}  // namespace dsf
