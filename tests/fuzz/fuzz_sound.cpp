// Sound files of all kinds, as the encoder reads them: twice, resampled, and measured.
#include "engine/audio/audio_source.h"
#include "engine/audio/loudness.h"
#include "engine/audio/resampled_source.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

constexpr int64_t kFrames = 4096;  // at once
constexpr int kMostParts = 20;     // some bytes of a FLAC may be hours

void measure(dsf::AudioSource& source) {
  dsf::LoudnessMeter meter(source.channels(), source.sample_rate());
  for (int i = 0; i < kMostParts; ++i) {
    const auto part = source.read(kFrames);
    if (part.empty()) break;
    meter.add(part);
  }
  if (!(meter.finish() >= dsf::kMinLoudness)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".wav");
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] {
    dsf::AudioFileSource file(path);
    if (file.announced_frames() < 0) std::abort();
    dsf::MonoMix mix(file);
    dsf::AudioSource& source = file.channels() > 5 ? static_cast<dsf::AudioSource&>(mix) : file;
    // To 3/2 or not at all: the tables of other ratios take longer than all else.
    const int rate = source.sample_rate();
    dsf::ResampledSource resampled(source, rate % 2 == 0 && rate < 500'000 ? rate / 2 * 3 : rate);
    measure(resampled);
    resampled.rewind();
    measure(resampled);
  });
  return 0;
}
