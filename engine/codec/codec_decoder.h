#pragma once
// Runs a codec's decoder on a fixed amount of memory: one of these per thread or live stream.
#include <functional>
#include <span>
#include <string_view>

#include "engine/codec/activations.h"
#include "engine/codec/codec.h"
#include "engine/model/arena.h"

namespace dsf {

class CodecDecoder {
 public:
  /// Called with every stage of a decode: "z", "stage0" (after the first convolution), "stage1" …
  /// (after each block); tensors [1, T, C] on the codec's device, valid during the call only.
  using Probe = std::function<void(std::string_view stage, ConstTensor activation)>;

  /// Allocates what decoding `max_frames` latent frames at once takes. `codec` must outlive it.
  CodecDecoder(const Codec& codec, int64_t max_frames);

  // Codes come and samples go in the host's memory.

  /// The samples of codes [N, T], 1 ≤ T ≤ max_frames, N at most the codec's codebooks; valid until
  /// the next call. Without padding (`dac`'s windowed files) they are fewer than T·hop.
  std::span<const float> decode(ConstIndexTensor codes, bool padded = true,
                                const Probe& probe = {});

  /// The same for frames first … first+count−1 of codes [N, T] alone, as if there were no others.
  std::span<const float> decode_window(ConstIndexTensor codes, int64_t first, int64_t count,
                                       bool padded);

  /// The samples first·hop … (first+count)·hop−1, as far as there are so many, of a decode of all
  /// frames of codes [N, T]. Decodes the frames that they depend on (DecoderGeometry::reach) and no
  /// others: `count` and those before and after must not exceed max_frames.
  std::span<const float> decode_part(ConstIndexTensor codes, int64_t first, int64_t count,
                                     bool padded);

  /// The buffers, by name and size.
  const Arena& arena() const { return arena_; }

 private:
  /// Of Snake of a block's input, which is in.snake alone.
  Activated run_block(const Activated& in, const DecoderBlock& block, const SnakeInto& next,
                      bool padded);

  const Codec& codec_;
  int64_t max_frames_;
  Arena arena_;
  Activations activations_;
  Tensor audio_;
  IndexTensor device_codes_;
  std::vector<int32_t> window_;  // codes of the frames that are decoded
  std::vector<float> samples_;   // of the last decode, where a GPU has them
};

}  // namespace dsf
