#pragma once
#include "engine/audio/audio.h"

namespace dsf {

/// `audio` at `sample_rate` Hz (libsamplerate's best windowed sinc), ⌊frames·ratio⌋ frames long.
/// An Error where the ratio is beyond libsamplerate's 1:256.
Audio resample(const Audio& audio, int sample_rate);

}  // namespace dsf
