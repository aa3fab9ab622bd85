#pragma once
// A .dac file's codes in the order in which a model reads them.
#include <cstdint>
#include <vector>

#include "engine/files/dac_file.h"

namespace dsf {

/// The codes of a file's first channel frame by frame, [frames, codebooks]: of its codebooks the
/// first `codebooks`.
std::vector<int32_t> codes_by_frame(const DacFile& file, int64_t codebooks);

}  // namespace dsf
