#pragma once
// Whether a texture goes on living: what a generator that is caught in one frame, or in a loop,
// does not.
#include "engine/audio/subband_envelopes.h"

namespace dsf {

/// The least that happens within any second: the root mean square over bands of deviation/mean of
/// their envelopes, smoothed over some 50 ms (at 44.1 kHz), so that the inner life of a repeated
/// frame (of 14 ms at most) does not count. Some 0.03 to 0.2 for textures, next to nothing for one
/// repeated frame. 0 for less than a second.
double least_movement(const SubbandEnvelopes& envelopes);

/// How well any five seconds repeat what was 0.25 to 5 s before: the largest correlation of the
/// smoothed envelopes, each band in units of its deviation over those seconds. Near 1 for a loop. 0
/// for less than ten seconds, and for what does not move (see least_movement).
double strongest_repetition(const SubbandEnvelopes& envelopes);

}  // namespace dsf
