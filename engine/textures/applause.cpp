#include <algorithm>
#include <functional>
#include <span>

#include "engine/textures/building_blocks.h"
#include "engine/textures/synthesisers.h"

namespace dsf {
namespace {

constexpr double kClapsPerSecond = 3.6;  // of one clapper
constexpr double kClapSeconds = 0.03;
constexpr int64_t kAttack = 13;      // samples
constexpr double kCrowdGain = 2.82;  // brings the crowd's filtered noise to unit power

enum ApplausePart : uint32_t {
  applause_room,
  applause_crowd,
  applause_swell,
  applause_murmur,
  applause_first_clapper = 16,
};

/// One person: a rhythm, and hands whose hollow has a pitch.
class Clapper {
 public:
  Clapper(RandomSequence random, double brightness)
      : random_(random),
        brightness_(brightness),
        claps_per_second_(kClapsPerSecond * random_.log_normal(0.28)),
        pitch_(std::exp(random_.uniform(std::log(650.0), std::log(3000.0)))),
        loudness_(random_.log_normal(0.5)),
        ringing_(0.0016 * random_.log_normal(0.3)),
        next_(random_.uniform() / claps_per_second_) {}

  void clap_along(std::vector<float>& sound) {
    for (;;) {
      const auto at = static_cast<size_t>(next_ * kTextureSampleRate);
      if (at >= sound.size()) return;
      clap({sound.begin() + static_cast<ptrdiff_t>(at), sound.end()});
      // No two claps within a fifth of the rhythm: hands need their way.
      next_ += std::max(0.2, 1 + 0.14 * random_.normal()) / claps_per_second_;
    }
  }

 private:
  /// Noise that dies away through the hollow of the hands and past it, and a short echo.
  void clap(std::span<float> sound) {
    Resonator hollow(pitch_ * random_.log_normal(0.06), ringing_);
    const double loudness = loudness_ * random_.log_normal(0.35);
    OnePole<> first(brightness_), second(brightness_), third(brightness_), far(3000);
    HighPass thin(330);
    const double fade = decay_per_sample(0.6 * ringing_), echo_fade = decay_per_sample(0.007);
    double burst = 1, echo = 0.04;
    const auto frames = static_cast<int64_t>(kClapSeconds * kTextureSampleRate);
    for (int64_t i = 0; i < std::min<int64_t>(frames, std::ssize(sound)); ++i) {
      const double attack = std::min(1.0, static_cast<double>(i) / (kAttack - 1));
      const double noise = burst * attack * random_.normal();
      const double hands = thin(0.060 * hollow(noise) + third(second(first(noise))));
      const double room = far(echo * random_.normal());
      sound[static_cast<size_t>(i)] += static_cast<float>(loudness * (hands + room));
      burst *= fade;
      echo *= echo_fade;
    }
  }

  RandomSequence random_;
  double brightness_;  // Hz
  double claps_per_second_;
  double pitch_;               // Hz
  double loudness_, ringing_;  // seconds
  double next_;                // clap, in seconds
};

/// The peak of a clap of middling strength: the median of the loudest blocks of 5 ms, half as many
/// as there are claps.
double typical_peak(const std::vector<float>& sound, int clappers) {
  constexpr size_t kBlock = 220;
  std::vector<float> peaks;
  for (size_t begin = 0; begin < sound.size(); begin += kBlock) {
    float peak = 0;
    const size_t end = std::min(begin + kBlock, sound.size());
    for (size_t i = begin; i < end; ++i) peak = std::max(peak, std::abs(sound[i]));
    peaks.push_back(peak);
  }
  const double seconds = static_cast<double>(sound.size()) / kTextureSampleRate;
  const double loudest = std::max(2.0, kClapsPerSecond / 2 * clappers) * seconds;
  const auto middle = peaks.begin() + std::min<ptrdiff_t>(static_cast<ptrdiff_t>(loudest / 2),
                                                          std::ssize(peaks) - 1);
  std::nth_element(peaks.begin(), middle, peaks.end(), std::greater<>());
  return *middle;
}

}  // namespace

std::vector<float> synthesise_applause(double clappers, int64_t frames,
                                       const RandomStream& stream) {
  RandomSequence room(stream, applause_room);
  const double brightness = room.uniform(5000, 8000);
  const int count = static_cast<int>(std::lround(std::exp2(5 * clappers)));
  std::vector<float> sound(static_cast<size_t>(frames), 0.0F);
  for (int i = 0; i < count; ++i) {
    const uint32_t component = applause_first_clapper + static_cast<uint32_t>(i);
    Clapper(RandomSequence(stream, component), brightness).clap_along(sound);
  }
  const double peak = typical_peak(sound, count);
  const double gain = peak > 0 ? 0.45 / peak : 0;  // a short sound may hold no clap

  RandomSequence crowd(stream, applause_crowd);
  OnePole<> muffled(2600), far(6000), farther(6000);
  HighPass thin(500);
  Resonator hall(950 * room.log_normal(0.1), 0.0005);
  SmoothCurve swell(stream, applause_swell, 1), murmur(stream, applause_murmur, 6);
  const double crowd_level = kCrowdGain * 0.005 * (1 + 1.5 * clappers);
  for (float& sample : sound) {
    const double noise = thin(farther(far(muffled(crowd.normal()))));
    const double level = crowd_level * from_decibels(3 * swell() + 1.5 * murmur());
    const double sum = gain * sample + level * (noise + 0.06 * hall(noise));
    sample = static_cast<float>(std::tanh(1.3 * sum) / 1.3);  // recordings are limited
  }
  return sound;
}

}  // namespace dsf
