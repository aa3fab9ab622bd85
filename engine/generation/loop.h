#pragma once
// Seamless loops. The conditioning is made periodic and generation goes on past the loop's end, so
// that frames t and t + T are two takes of the same moment. Somewhere in the opening the later take
// is cross-faded into the stored one, at constant power, where their codes agree best:
//
//   drawn:  run-up | opening ................ end | continuation
//   loop:            [seam, seam + T), the first `fade` frames of it out of the frames T later
//
// It is written so that the moment 0 of the conditioning is the file's beginning: the file's end
// and beginning are consecutive frames of one take, and the seam lies inside.
#include <cstdint>
#include <span>
#include <vector>

#include "engine/files/dac_file.h"
#include "engine/generation/morph.h"

namespace dsf {

/// All in frames.
struct LoopPlan {
  int64_t length = 0;   // T, of the loop
  int64_t fade = 0;     // of the cross-fade
  int64_t run_up = 0;   // drawn first and never heard
  int64_t choices = 0;  // places the seam can begin at: run_up … run_up + choices − 1
  int64_t drawn = 0;    // all that must be generated
};

/// The loop of `length` frames, `frames_per_second` a second, of a model that looks back `lookback`
/// frames, its codec `before` and `after` its own (nothing that is heard may lie so near the ends
/// of what was drawn). A loop under half a second is a UsageError.
LoopPlan plan_loop(int64_t length, int64_t frames_per_second, int64_t lookback, int64_t before,
                   int64_t after);

/// Makes a trajectory periodic: where the step from its last frame to its first is larger than any
/// it makes itself, its last second (at most a quarter of it) is blended towards the first frame.
/// Returns how many frames that changed.
int64_t make_periodic(Conditioning& conditioning, int64_t frames_per_second);

/// `frames` frames of a periodic trajectory.
Conditioning repeat(const Conditioning& period, int64_t frames);

struct LoopSeam {
  int64_t begin = 0;     // frame of the cross-fade's beginning among those drawn
  int64_t agreeing = 0;  // codes that agree within the fade, of fade · codebooks
};

/// Where the two takes agree best over the fade; of equal ones the earliest. In each frame the
/// codebooks that agree are counted up to the first that does not: each refines what the coarser
/// ones before it give, and agrees by chance where those differ.
LoopSeam find_seam(const DacFile& drawn, const LoopPlan& plan);

/// The loop's codes, the takes exchanged in the middle of the fade. `hop`: samples per frame.
DacFile loop_codes(const DacFile& drawn, int64_t hop, const LoopPlan& plan, const LoopSeam& seam);

/// The loop's length · hop samples from the decoded samples of all that was drawn. The gains sin x
/// and cos x keep the power of takes that have nothing in common. The seam lies where they have
/// most, so both are divided by √(1 + 2ρ sin x cos x), ρ the takes' correlation over the fade: two
/// equal ones pass unchanged instead of swelling by 3 dB.
std::vector<float> loop_audio(std::span<const float> drawn, int64_t hop, const LoopPlan& plan,
                              const LoopSeam& seam);

}  // namespace dsf
