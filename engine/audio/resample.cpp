#include "engine/audio/resample.h"

#include <samplerate.h>

#include "kernels/common/checks.h"

namespace dsf {

Audio resample(const Audio& audio, int sample_rate) {
  if (audio.sample_rate == sample_rate) return audio;
  const double ratio = static_cast<double>(sample_rate) / audio.sample_rate;
  const int64_t frames = audio.frames() * sample_rate / audio.sample_rate;
  Audio result{sample_rate, audio.channels, {}};
  if (src_is_valid_ratio(ratio) == 0) {
    fail("cannot resample from {} to {} Hz: the rates may differ by a factor of 256 at most",
         audio.sample_rate, sample_rate);
  }
  // The converter may stop a frame short of the exact length: the rest stays silent.
  result.samples.assign(static_cast<size_t>(frames * audio.channels), 0.0F);
  SRC_DATA data{};
  data.data_in = audio.samples.data();
  data.data_out = result.samples.data();
  data.input_frames = audio.frames();
  data.output_frames = frames;
  data.src_ratio = ratio;
  const int error = src_simple(&data, SRC_SINC_BEST_QUALITY, audio.channels);
  if (error != 0) {
    fail("resampling from {} to {} Hz: {}", audio.sample_rate, sample_rate, src_strerror(error));
  }
  return result;
}

}  // namespace dsf
