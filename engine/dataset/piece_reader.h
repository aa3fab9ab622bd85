#pragma once
// A recording, cut into pieces of equal length.
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "engine/audio/audio_source.h"
#include "engine/audio/resampled_source.h"

namespace dsf {

/// Where pieces lie, in samples.
struct PieceGrid {
  int64_t sample_rate = 0;
  int64_t samples = 0;  // of a piece
  int64_t step = 0;     // from a piece's begin to the next one's

  /// Whole pieces in so many samples.
  int64_t count(int64_t length) const {
    return length < samples ? 0 : 1 + (length - samples) / step;
  }
  /// Samples behind the last whole piece.
  int64_t rest(int64_t length) const {
    const int64_t pieces = count(length);
    return pieces == 0 ? length : length - ((pieces - 1) * step + samples);
  }
};

/// Reads the pieces one by one, mixed down to mono and resampled as a whole, so that pieces join
/// without a seam; in memory that does not grow with the recording. Errors name the file.
class PieceReader {
 public:
  PieceReader(const std::filesystem::path& path, const PieceGrid& grid);

  /// Reads the next piece; false if no whole one is left, and then all has been read.
  bool next();
  int64_t index() const { return index_; }    // of the piece
  std::span<const float> samples() const;     // of the piece, valid until the next one
  int64_t length() const { return length_; }  // samples so far
  /// The whole length as the file's header announces it; it may lie.
  int64_t announced_length() const;

 private:
  bool fill(int64_t wanted);

  PieceGrid grid_;
  AudioFileSource file_;
  MonoMix mono_;
  ResampledSource source_;
  std::vector<float> ready_;  // from sample `begin_` on
  int64_t begin_ = 0, length_ = 0, index_ = -1;
};

}  // namespace dsf
