#pragma once
// Sound into a pipe or a file as it comes: raw samples or a WAV, little-endian, one channel.
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dsf {

enum class PcmFormat {
  wav,  // of 16-bit integers
  s16,  // 16-bit integers alone
  f32,  // 32-bit floats alone
};

/// "wav", "s16" or "f32"; another is a UsageError.
PcmFormat parse_pcm_format(std::string_view name);

class PcmWriter {
 public:
  /// Writes to `descriptor`, which it does not own. A WAV's header says `samples`, or where they
  /// are not known, or too many for one, that they go on as long as there is something to read. A
  /// pipe is made short, so that who reads it hears what was written just before.
  PcmWriter(int descriptor, PcmFormat format, int64_t sample_rate, std::optional<int64_t> samples);

  /// Waits until all is written; false where `stop` or the reader's end came before. An Error where
  /// it cannot be written.
  bool write(std::span<const float> samples, const std::atomic<bool>& stop);

  /// Puts a header into the WAV that says how many samples were written, where it can: a pipe does
  /// not go back.
  void finish();

 private:
  bool put(std::span<const unsigned char> bytes, const std::atomic<bool>& stop);

  int descriptor_;
  PcmFormat format_;
  int64_t sample_rate_;
  int64_t begin_;                      // place in the file
  int64_t written_ = 0;                // bytes
  std::vector<unsigned char> header_;  // until it is written
  std::vector<unsigned char> bytes_;
};

}  // namespace dsf
