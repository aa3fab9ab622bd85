#include "apps/stream/pcm_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int kPipeBytes = 8192;  // 93 ms of 16 bits at 44.1 kHz
constexpr int kLooksEvery = 100;  // ms: whether it is to stop
// A pipe that can take something can take so much at once.
constexpr size_t kAtOnce = 4096;
constexpr uint32_t kHeaderBytes = 44, kSampleBytes = 2;  // of a WAV

void append(std::vector<unsigned char>& bytes, std::string_view text) {
  bytes.insert(bytes.end(), text.begin(), text.end());
}
void append(std::vector<unsigned char>& bytes, uint32_t value, int width) {
  for (int i = 0; i < width; ++i) bytes.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

/// RIFF WAVE, PCM: the chunks "fmt " and "data". Sizes of 2^32 − 1 mean what goes on without end.
std::vector<unsigned char> wav_header(int64_t sample_rate, std::optional<int64_t> samples) {
  constexpr uint32_t kEndless = std::numeric_limits<uint32_t>::max();
  constexpr uint32_t kBehindSize = kHeaderBytes - 8;  // of the header, behind RIFF's size
  uint32_t data = kEndless, riff = kEndless;
  if (samples && *samples <= (int64_t{kEndless} - kBehindSize) / kSampleBytes) {
    data = static_cast<uint32_t>(*samples) * kSampleBytes;
    riff = data + kBehindSize;
  }
  const auto rate = static_cast<uint32_t>(sample_rate);
  std::vector<unsigned char> header;
  append(header, "RIFF");
  append(header, riff, 4);
  append(header, "WAVEfmt ");
  append(header, 16, 4);                   // bytes of this chunk
  append(header, 1, 2);                    // PCM
  append(header, 1, 2);                    // channels
  append(header, rate, 4);                 // samples a second
  append(header, rate * kSampleBytes, 4);  // bytes a second
  append(header, kSampleBytes, 2);         // bytes of all channels' samples
  append(header, 8 * kSampleBytes, 2);     // bits
  append(header, "data");
  append(header, data, 4);
  return header;
}

void append_samples(std::vector<unsigned char>& bytes, std::span<const float> samples,
                    PcmFormat format) {
  for (const float sample : samples) {
    if (format == PcmFormat::f32) {
      append(bytes, std::bit_cast<uint32_t>(sample), 4);
    } else {
      const float scaled = std::clamp(sample, -1.0F, 1.0F) * 32767;
      append(bytes, static_cast<uint32_t>(std::lround(scaled)), 2);
    }
  }
}

}  // namespace

PcmFormat parse_pcm_format(std::string_view name) {
  if (name == "wav") return PcmFormat::wav;
  if (name == "s16") return PcmFormat::s16;
  if (name == "f32") return PcmFormat::f32;
  fail_usage("the stream format '{}' is not known; expected wav, s16 or f32", name);
}

PcmWriter::PcmWriter(int descriptor, PcmFormat format, int64_t sample_rate,
                     std::optional<int64_t> samples)
    : descriptor_(descriptor),
      format_(format),
      sample_rate_(sample_rate),
      begin_(lseek(descriptor, 0, SEEK_CUR)) {
  if (format == PcmFormat::wav) header_ = wav_header(sample_rate, samples);
  fcntl(descriptor, F_SETPIPE_SZ, kPipeBytes);  // refused where it is no pipe
}

bool PcmWriter::write(std::span<const float> samples, const std::atomic<bool>& stop) {
  bytes_ = header_;
  header_.clear();
  append_samples(bytes_, samples, format_);
  return put(bytes_, stop);
}

void PcmWriter::finish() {
  const int64_t samples = (written_ - kHeaderBytes) / kSampleBytes;
  if (format_ != PcmFormat::wav || begin_ < 0 || samples < 0) return;
  const std::vector<unsigned char> header = wav_header(sample_rate_, samples);
  // A file that is appended to is written at its end wherever one asks for: it keeps its header.
  if ((fcntl(descriptor_, F_GETFL) & O_APPEND) != 0) return;
  [[maybe_unused]] const ssize_t put = pwrite(descriptor_, header.data(), header.size(), begin_);
}

bool PcmWriter::put(std::span<const unsigned char> bytes, const std::atomic<bool>& stop) {
  while (!bytes.empty()) {
    if (stop) return false;
    pollfd ready{descriptor_, POLLOUT, 0};
    if (poll(&ready, 1, kLooksEvery) == 0) continue;
    const ssize_t count = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kAtOnce));
    if (count < 0 && errno == EPIPE) return false;
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      fail("standard output could not be written: {}", std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    written_ += std::max<ssize_t>(count, 0);
  }
  return true;
}

}  // namespace dsf
