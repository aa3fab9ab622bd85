#include <algorithm>

#include "engine/textures/building_blocks.h"
#include "engine/textures/synthesisers.h"

namespace dsf {
namespace {

constexpr int kStrokes = 8;              // of a cycle
constexpr double kSlowestCycle = 2.83;   // Hz, at rate 0
constexpr double kRateOctaves = 3;       // from rate 0 to 1
constexpr double kStrokeJitter = 0.13;   // of the time between strokes
constexpr double kNegativeShare = 0.35;  // of strokes

enum PistonsPart : uint32_t { pistons_engine, pistons_strokes, pistons_noise, pistons_load };

/// One impulse for each stroke. Every cycle repeats the engine's own pattern of strong and weak.
std::vector<float> draw_strokes(double rate, int64_t frames, RandomSequence& engine,
                                const RandomStream& stream) {
  const double cycles =
      kSlowestCycle * std::exp2(kRateOctaves * rate) * (1 + 0.005 * engine.normal());
  const double samples_per_stroke = kTextureSampleRate / (cycles * kStrokes);
  const double begin = engine.uniform();
  std::array<double, kStrokes> pattern{};
  for (double& strength : pattern) strength = engine.log_normal(0.25);

  RandomSequence strokes(stream, pistons_strokes);
  std::vector<float> impulses(static_cast<size_t>(frames), 0.0F);
  // Jitter may carry a stroke across either end: one draws a few beyond them.
  constexpr int64_t kBeyond = 2;
  const auto last = static_cast<int64_t>(static_cast<double>(frames) / samples_per_stroke);
  for (int64_t stroke = -kBeyond; stroke <= last + kBeyond; ++stroke) {
    const double jitter = kStrokeJitter * strokes.normal();
    const double sign = strokes.uniform() < kNegativeShare ? -1 : 1;
    const double strength =
        sign * pattern[static_cast<size_t>(stroke + kBeyond) % kStrokes] * strokes.log_normal(0.22);
    const double at = (static_cast<double>(stroke) + begin + jitter) * samples_per_stroke;
    if (at < 0 || at >= static_cast<double>(frames)) continue;
    impulses[static_cast<size_t>(at)] += static_cast<float>(strength);
  }
  return impulses;
}

}  // namespace

std::vector<float> synthesise_pistons(double rate, int64_t frames, const RandomStream& stream) {
  RandomSequence engine(stream, pistons_engine);
  std::vector<float> sound = draw_strokes(rate, frames, engine, stream);

  const double size = 1 + 0.03 * engine.normal();
  Resonator block(98 * size, 0.018), cylinder(129 * size, 0.016), pipe(165 * size, 0.009),
      knock(640 * size, 0.004);
  SmoothCurve load(stream, pistons_load, 4);
  const double brightness = std::exp2(engine.uniform(-1.1, -0.4));
  OnePole<> warm(500), dull(1500 * brightness), soft(3500 * brightness), air(7000 * brightness);
  HighPass thin(150), no_rumble(85), no_shaking(85);
  RandomSequence noise(stream, pistons_noise);
  const double fade = decay_per_sample(0.0028);
  double click = 0;  // the noise's envelope
  for (float& sample : sound) {
    const double impulse = sample;
    click = std::abs(impulse) + fade * click;
    const double hiss = 4.2 * thin(air(soft(dull(warm(click * noise.normal())))));
    const double thump = 0.9 * block(impulse) + 1.15 * cylinder(impulse) + 0.9 * pipe(impulse) +
                         0.16 * knock(impulse);
    sample = static_cast<float>(from_decibels(1.6 * load()) * no_shaking(no_rumble(thump + hiss)));
  }
  return sound;
}

}  // namespace dsf
