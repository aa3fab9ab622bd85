#pragma once
// What a generation begins from: nothing, random frames, or the frames of a .dac.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/model_config.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// Frames before the first new one; none where `codes` is empty.
struct Prime {
  std::vector<int32_t> codes;
  Shape shape;            // [frames, N] for all streams, or [B, frames, N]
  int64_t continued = 0;  // frames of a file that the new ones go on from

  ConstIndexTensor view() const {
    if (codes.empty()) return {};
    return {codes.data(), shape};
  }
};

/// Makes the prime of streams with these seeds. `sources`:
///   {}          the class's own: `none` for StreamingDACTransformer, `random` for upstream's
///   {"none"}    the learned start frame alone; upstream's classes have none (UsageError)
///   {"random"}  Ti random frames from each stream's seed
///   {FILE, …}   the frames of a .dac, one file for all streams or one for each of the `channels`
///               that the streams go through in turn
/// A file of other codebooks, of codes ≥ V or, for upstream's classes, of fewer than Ti frames is
/// an Error; files of unequal lengths are, too, because the streams of a batch advance together.
Prime make_prime(const std::vector<std::string>& sources, const ModelConfig& config,
                 const std::vector<uint64_t>& seeds, int64_t channels);

/// What make_prime refuses without reading a file: UsageErrors.
void check_prime_sources(const std::vector<std::string>& sources, const ModelConfig& config,
                         int64_t channels);

}  // namespace dsf
