#include "engine/textures/texture.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/files/quote.h"
#include "engine/model/random_purpose.h"
#include "engine/textures/synthesisers.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr std::array<TextureClass, 4> kClasses = {{
    {TextureKind::pistons, "pistons", "DSPistons", "rate", "impacts per second, 23 to 181"},
    {TextureKind::wind, "wind", "DSWind", "strength", "pitch of the howling and depth of gusts"},
    {TextureKind::applause, "applause", "DSApplause", "clappers", "how many, 1 to 32"},
    {TextureKind::bugs, "bugs", "DSBugs", "busyness", "how fast an insect flies about"},
}};

constexpr double kHighestPeak = 0.9;

std::vector<float> synthesise(const TextureTake& take, int64_t frames) {
  const RandomStream stream{take.seed, purpose_texture + static_cast<uint32_t>(take.kind),
                            take.take};
  switch (take.kind) {
    case TextureKind::pistons:
      return synthesise_pistons(take.parameter, frames, stream);
    case TextureKind::wind:
      return synthesise_wind(take.parameter, frames, stream);
    case TextureKind::applause:
      return synthesise_applause(take.parameter, frames, stream);
    case TextureKind::bugs:
      return synthesise_bugs(take.parameter, frames, stream);
  }
  fail("texture {} is none", static_cast<uint32_t>(take.kind));
}

/// Root mean square of the whole sound.
double target_level(const TextureTake& take) {
  switch (take.kind) {
    case TextureKind::pistons:
      return 0.13;
    case TextureKind::wind:
      return 0.15;
    case TextureKind::applause:
      return 0.03 + 0.05 * take.parameter;  // the same clap, more often
    case TextureKind::bugs:
      return 0.18;
  }
  return 0;
}

/// Takes the mean away and brings the sound to a level, or to the highest peak if that comes first.
void adjust_level(std::vector<float>& sound, double level) {
  double sum = 0, power = 0, peak = 0;
  for (const float sample : sound) sum += sample;
  const double mean = sum / static_cast<double>(sound.size());
  for (const float sample : sound) {
    const double centred = sample - mean;
    power += centred * centred;
    peak = std::max(peak, std::abs(centred));
  }
  if (peak == 0) return;
  const double rms = std::sqrt(power / static_cast<double>(sound.size()));
  const double gain = std::min(level / rms, kHighestPeak / peak);
  for (float& sample : sound) sample = static_cast<float>((sample - mean) * gain);
}

}  // namespace

std::span<const TextureClass> texture_classes() {
  return kClasses;
}

const TextureClass& texture_class(TextureKind kind) {
  return kClasses.at(static_cast<size_t>(kind));
}

const TextureClass& find_texture_class(std::string_view name) {
  std::string known;
  for (const TextureClass& one : kClasses) {
    if (name == one.name || name == one.class_name) return one;
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  fail_usage("the texture {} is unknown; known: {}", quote(name), known);
}

void check_texture(const TextureTake& take) {
  if (!(take.parameter >= 0 && take.parameter <= 1)) {
    fail_usage("a texture's parameter is {}; expected 0 to 1", take.parameter);
  }
  if (!(take.seconds >= kMinTextureSeconds && take.seconds <= kMaxTextureSeconds)) {
    fail_usage("a texture of {} s; expected {} to {} s", take.seconds, kMinTextureSeconds,
               kMaxTextureSeconds);
  }
}

Audio make_texture(const TextureTake& take) {
  check_texture(take);
  const auto frames = static_cast<int64_t>(std::round(take.seconds * kTextureSampleRate));
  Audio audio{kTextureSampleRate, 1, synthesise(take, frames)};
  adjust_level(audio.samples, target_level(take));
  return audio;
}

}  // namespace dsf
