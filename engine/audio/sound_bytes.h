#pragma once
// Whether the samples of a sound file are all there, which libsndfile does not say of some kinds.
#include <cstdint>

#include "engine/files/atomic_file.h"

namespace dsf {

/// How many bytes of samples a WAV (RIFF, RIFX, RF64), AIFF or AU file lacks of those that its
/// header announces. 0 for a whole one, for one whose writer could not go back to state a length,
/// and for files of other kinds.
uint64_t missing_sound_bytes(const InputFile& file);

/// Whether a file begins as an OGG but does not end with a whole page that is marked as the last
/// (RFC 3533, 6). libsndfile says so up to version 1.2.0; 1.2.2 takes the pages that are there for
/// all.
bool is_cut_ogg(const InputFile& file);

}  // namespace dsf
