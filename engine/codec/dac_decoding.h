#pragma once
// From a .dac file's codes to its sound, as the `dac` package decodes it.
#include "engine/audio/audio.h"
#include "engine/codec/codec.h"
#include "engine/files/dac_file.h"

namespace dsf {

/// Chunks of chunk_length frames, with padding as the file says, are decoded by themselves and
/// joined; each channel is brought to input_db LUFS, then all are resampled to the file's rate and
/// cut to original_length. Where the codes hold less than that, the sound is shorter. The file may
/// have fewer codebooks than the codec. A code that the codec does not know, chunks too short to be
/// decoded without padding and a rate beyond 768 kHz are Errors. `progress` counts frames of all
/// channels; where it ends the decode, there is no sound.
Audio decode_dac(const Codec& codec, const DacFile& file, const DecodeProgress& progress = {});

}  // namespace dsf
