#pragma once
// What was drawn for one channel, and how it becomes sound.
#include <optional>
#include <vector>

#include "engine/audio/audio.h"
#include "engine/codec/codec.h"
#include "engine/files/dac_file.h"
#include "engine/generation/loop.h"

namespace dsf {

struct Take {
  uint64_t seed = 0;
  DacFile drawn;                 // every frame that was generated
  std::optional<LoopSeam> seam;  // of a loop
};

/// The codes of what is heard: all that was drawn, or the loop made of it.
/// `hop`: samples per frame.
DacFile heard_codes(const Take& take, int64_t hop, const std::optional<LoopPlan>& loop);

/// Sound at its final level.
struct Sound {
  Audio audio;           // a channel per take
  double gain = 0;       // dB, from the codec's output to the loudness the .dac states
  double peak_gain = 0;  // dB, what was then taken back to keep the ceiling
};

inline constexpr double kPeakCeiling = -1;  // dBFS

/// Decodes the takes of one file (in bounded memory beside the sound itself), joins loops, brings
/// all channels by one gain to the loudness that the first take's .dac states, then, where a sample
/// exceeds kPeakCeiling, by one gain down to it. `progress` counts the frames of all takes; where
/// it ends the decode, there is no sound.
std::optional<Sound> render(const Codec& codec, const std::vector<Take>& takes,
                            const std::optional<LoopPlan>& loop,
                            const DecodeProgress& progress = {});

}  // namespace dsf
