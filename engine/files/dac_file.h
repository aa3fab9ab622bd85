#pragma once
// .dac: codes of the Descript Audio Codec and how to turn them back into audio, as the `dac`
// package stores them: a numpy array of rank 0 whose element is a pickled dictionary.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dsf {

struct DacMetadata {
  float input_db = 0;           // integrated loudness of the input, LUFS
  int64_t original_length = 0;  // samples
  int64_t sample_rate = 0;      // Hz, of the original
  int64_t chunk_length = 0;     // frames that were encoded, and are decoded, in one piece
  int64_t channels = 0;
  bool padding = false;  // whether the convolutions were padded
  std::string dac_version = "1.0.0";

  bool operator==(const DacMetadata&) const = default;
};

struct DacFile {
  int64_t channels = 0;
  int64_t n_codebooks = 0;
  int64_t frames = 0;
  std::vector<uint16_t> codes;  // [channels, n_codebooks, frames]
  DacMetadata metadata;

  bool operator==(const DacFile&) const = default;
};

/// Raises an Error that names the file and the field if the file is not of this format, of another
/// version than 1.0.0, or if its sizes do not fit together.
DacFile read_dac(const std::filesystem::path& path);

/// Writes atomically what `np.load(path, allow_pickle=True)[()]` reads. The same checks.
void write_dac(const std::filesystem::path& path, const DacFile& file);

}  // namespace dsf
