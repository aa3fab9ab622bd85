#pragma once
// What a generation begins from: nothing, random frames, or the frames of a .dac.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/generation/file_identity.h"
#include "engine/generation/origin.h"
#include "engine/model/model_config.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// What `--prime` means for a model, read and checked.
struct PrimeSources {
  enum class Kind { none, random, files };
  Kind kind = Kind::none;
  // Of files:
  std::vector<SourceFile> files;            // as given: one, or one for each channel
  std::vector<std::vector<int32_t>> codes;  // [frames, N] of each, with what goes before it
  std::vector<std::optional<StatedConditioning>> conditionings;  // of each, where known
  int64_t frames = 0;                                            // of each
  int64_t first_frame = 0;  // the new ones' first: its number since the beginning
};

/// Reads them. `sources`:
///   {}          the class's own: `none` for StreamingDACTransformer, `random` for upstream's
///   {"none"}    the learned start frame alone; upstream's classes have none (UsageError)
///   {"random"}  Ti random frames from each stream's seed
///   {FILE, …}   the frames of a .dac, one file for all streams or one for each of the `channels`
///               that the streams go through in turn; of its codebooks the first num_codebooks
/// A file that itself goes on from another (its side-car says so) is preceded by that one's frames,
/// and so on, until there are as many as the model can look back, or an earlier file is gone.
/// A file of fewer codebooks, of codes ≥ V or, for upstream's classes, of fewer than Ti frames is
/// an Error; files of unequal lengths are, too, because the streams of a batch advance together.
PrimeSources read_prime(const std::vector<std::string>& sources, const ModelConfig& config,
                        int64_t channels);

/// Frames before the first new one; none where `codes` is empty.
struct Prime {
  std::vector<int32_t> codes;
  Shape shape;  // [frames, N] for all streams, or [B, frames, N]

  ConstIndexTensor view() const {
    if (codes.empty()) return {};
    return {codes.data(), shape};
  }
};

/// The prime of streams with these seeds.
Prime make_prime(const PrimeSources& sources, const ModelConfig& config,
                 const std::vector<uint64_t>& seeds);

}  // namespace dsf
