#pragma once
// Counter-based random numbers: a value is a pure function of (seed, purpose, step, index), so
// nothing is stored, any part can be recomputed, and the order of work does not matter.
// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#include <Random123/philox.h>

#include <array>
#include <cstdint>

#include "kernels/common/multiversion.h"

namespace dsf {

/// One stream of random numbers. `purpose` tells its users apart (a dropout site, the shuffle,
/// sampling …), `step` its repetitions (the optimizer step, the frame).
struct RandomStream {
  uint64_t seed = 0;
  uint32_t purpose = 0;
  uint32_t step = 0;
};

/// Four independent 32-bit words: block `index` of `stream`. For kernels on a GPU too.
R123_CUDA_DEVICE DSF_INLINE r123::Philox4x32::ctr_type random_block(const RandomStream& stream,
                                                                    uint64_t index) {
  const r123::Philox4x32::ctr_type counter{{static_cast<uint32_t>(index),
                                            static_cast<uint32_t>(index >> 32), stream.step,
                                            stream.purpose}};
  const r123::Philox4x32::key_type key{
      {static_cast<uint32_t>(stream.seed), static_cast<uint32_t>(stream.seed >> 32)}};
  return r123::Philox4x32()(counter, key);
}

/// The same as an array of the host's.
DSF_INLINE std::array<uint32_t, 4> random_words(const RandomStream& stream, uint64_t index) {
  const r123::Philox4x32::ctr_type words = random_block(stream, index);
  return {words[0], words[1], words[2], words[3]};
}

/// A word as a float in [0, 1): its upper 24 bits.
R123_CUDA_DEVICE DSF_INLINE float to_unit(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24F;
}

/// Dropout of one site at one step: element i is kept where its word reaches `rate`·2³², and then
/// multiplied by 1/(1−rate).
struct DropoutStream {
  float rate = 0;
  RandomStream stream;
  /// Where not null, a GPU adds the number in its memory to stream.step (kernels/common/counter.h).
  const int64_t* device_step = nullptr;

  bool active() const { return rate > 0; }
  /// What words are compared with, and what is kept is multiplied by.
  uint32_t threshold() const { return static_cast<uint32_t>(static_cast<double>(rate) * 0x1p32); }
  float scale() const { return 1.0F / (1.0F - rate); }
};

/// Writes the factors (0 or 1/(1−rate)) of elements first … first+count−1. `rate` in [0, 1).
void dropout_factors(const DropoutStream& dropout, uint64_t first, int64_t count, float* factors);

}  // namespace dsf
