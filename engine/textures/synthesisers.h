#pragma once
// One function a class: `frames` samples at kTextureSampleRate. Levels are such that make_texture's
// adjustment is small. The constants were fitted to recordings, by the figures of
// tools/textures/compare_with_recordings.py.
#include <cstdint>
#include <vector>

#include "kernels/common/random.h"

namespace dsf {

/// An engine: eight strokes a cycle, each a thump of two low resonances and a click of noise.
std::vector<float> synthesise_pistons(double rate, int64_t frames, const RandomStream& stream);
/// Howling: noise in a narrow band that gusts move and swell, and a faint hiss.
std::vector<float> synthesise_wind(double strength, int64_t frames, const RandomStream& stream);
/// 1 to 32 clappers, each in a rhythm and with hands of its own, before a distant crowd.
std::vector<float> synthesise_applause(double clappers, int64_t frames, const RandomStream& stream);
/// A buzzing insect, harmonic, whose pitch darts about while it comes and goes.
std::vector<float> synthesise_bugs(double busyness, int64_t frames, const RandomStream& stream);

}  // namespace dsf
