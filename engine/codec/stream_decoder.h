#pragma once
// Decodes frames as they come, each once: every layer keeps the end of its input for the next.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/codec/codec.h"
#include "engine/codec/frame_queue.h"
#include "engine/model/arena.h"

namespace dsf {

/// The samples of a decode with padding of all frames (CodecDecoder::decode), however these are
/// divided. A sample is given once nothing that is still to come can change it: DecoderGeometry::
/// reach(true).after frames after its own.
class StreamDecoder {
 public:
  /// Allocates what decoding `max_frames` frames at once takes. `codec` must outlive it.
  StreamDecoder(const Codec& codec, int64_t max_frames);

  /// The next samples, perhaps none, that codes [N, T] lead to, 0 ≤ T ≤ max_frames, N at most the
  /// codec's codebooks; valid until the next call. Behind the `last` frames all that are left are
  /// given, and the next call begins another sound; too few in all (a codec with rates of 1 loses
  /// some) are an Error. Codes come and samples go in the host's memory.
  std::span<const float> decode(ConstIndexTensor codes, bool last = false);

  /// Begins another sound before the last frame.
  void restart();

  /// The buffers, by name and size.
  const Arena& arena() const { return arena_; }

 private:
  /// A residual unit: its input, and Snake of that.
  struct Unit {
    const ResidualUnit& weights;
    FrameQueue x, snake;
  };
  struct Block {
    const DecoderBlock& weights;
    std::vector<Unit> units;
    ConstTensor next_alpha;  // of the Snake behind it
    bool begun = false;      // its first frames are cut off
  };

  void add_block(const DecoderBlock& weights, ConstTensor next_alpha, int64_t& longest);
  void run_first(ConstIndexTensor codes, bool last);
  void upsample(size_t index, bool last);
  void run_unit(size_t block, size_t index, bool last);
  int64_t run_last(bool last);

  const Codec& codec_;
  int64_t max_frames_;
  Arena arena_;
  IndexTensor device_codes_;
  FrameQueue latents_;
  std::vector<FrameQueue> inputs_;  // of the blocks and of the last convolution, behind Snake
  std::vector<Block> blocks_;
  Tensor hidden_, audio_;
  std::vector<float> samples_;  // on the host, of a GPU's
};

}  // namespace dsf
