#pragma once
// The pieces of a plan, encoded and written; some of them decoded again and compared.
#include <atomic>
#include <optional>
#include <vector>

#include "engine/audio/sound_distance.h"
#include "engine/codec/codec.h"
#include "engine/dataset/dataset_plan.h"

namespace dsf {

struct EncodedPieces {
  std::vector<std::optional<SoundDistance>> distances;  // of each piece that was compared
  int64_t encoded = 0;
  int64_t skipped = 0;  // were finished
  int64_t failed = 0;   // recordings with a piece that could not be made
};

/// Writes <output>/<side>/<file name> of each piece, in one go with padding. `reusable` says of
/// which recordings pieces that are there were made in the same way: then those that are readable
/// and of the same length are finished. What is wrong with a recording is told to `complain`, and
/// the others go on. Where `stop` ends it, pieces in work are not written.
EncodedPieces encode_pieces(const Codec& codec, const Recordings& recordings,
                            const DatasetPlan& plan, const PieceGrid& grid,
                            const DatasetRequest& request, const std::vector<bool>& reusable,
                            const Complaint& complain, const std::atomic<bool>& stop);

/// Removes, on both sides, the pieces of all recordings that are not `reusable`.
void remove_pieces(const DatasetPlan& plan, const DatasetRequest& request,
                   const std::vector<bool>& reusable);

/// The folder of a side: <output>/train or <output>/validation.
std::filesystem::path side_folder(const DatasetRequest& request, bool validation);

}  // namespace dsf
