#include "engine/files/dac_frames.h"

#include "kernels/common/checks.h"

namespace dsf {

std::vector<int32_t> codes_by_frame(const DacFile& file, int64_t codebooks) {
  DSF_CHECK(codebooks >= 1 && codebooks <= file.n_codebooks, "{} of {} codebooks", codebooks,
            file.n_codebooks);
  std::vector<int32_t> codes;
  codes.reserve(static_cast<size_t>(file.frames * codebooks));
  for (int64_t t = 0; t < file.frames; ++t) {
    for (int64_t n = 0; n < codebooks; ++n) {
      codes.push_back(file.codes[static_cast<size_t>(n * file.frames + t)]);
    }
  }
  return codes;
}

}  // namespace dsf
