#include <algorithm>
#include <span>
#include <utility>

#include "engine/textures/building_blocks.h"
#include "engine/textures/synthesisers.h"

namespace dsf {
namespace {

constexpr size_t kHarmonics = 60;
constexpr double kPitch = 267;              // Hz
constexpr double kSpeedOctaves = 3;         // of the speed of flight, from busyness 0 to 1
constexpr double kHighestHarmonic = 21000;  // Hz: what comes near is faded out
constexpr size_t kBlock = 256;              // samples that share a fading of the harmonics

enum BugsPart : uint32_t {
  bugs_body,
  bugs_turns,
  bugs_darts,
  bugs_tremble,
  bugs_approach,
  bugs_wobble,
  bugs_flutter,
  bugs_shimmer,
  bugs_glitter,
  bugs_air,
};

/// Strengths of the harmonics: a strong fundamental, a hump at 2.6 kHz, falling from 4.3 kHz on.
std::array<double, kHarmonics> draw_harmonics(RandomSequence& random) {
  std::array<double, kHarmonics> strengths{1, 0.40};
  for (size_t k = 2; k < kHarmonics; ++k) {
    const double frequency = kPitch * static_cast<double>(k + 1);
    const double hump = (frequency - 2600) / 280;
    const double even = 0.036 * std::pow(frequency / 800, -0.15);
    const double fall = std::pow(std::max(frequency / 4300, 1.0), -3.4);
    strengths[k] = (even + 0.10 * std::exp(-0.5 * hump * hump)) * fall * random.log_normal(0.15);
  }
  return strengths;
}

class Insect {
 public:
  Insect(double busyness, const RandomStream& stream)
      : Insect(stream, std::exp2(kSpeedOctaves * (busyness - 0.5)),
               RandomSequence(stream, bugs_body)) {}

  /// The next samples, at most kBlock.
  void play(std::span<double> sound) {
    double highest = 0;
    for (size_t i = 0; i < sound.size(); ++i) {
      const double octaves = 0.055 * turns_() + 0.065 * darts_() + 0.011 * tremble_();
      const double frequency = pitch_ * std::exp2(octaves);
      highest = std::max(highest, frequency);
      phase_ += frequency / kTextureSampleRate;
      phase_ -= std::floor(phase_);
      const double angle = 2 * std::numbers::pi * phase_;
      cosine_[i] = std::cos(angle);
      sine_[i] = std::sin(angle);
      level_[i] = from_decibels(4.2 * approach_() + 1.2 * wobble_() + 0.5 * flutter_());
      overtones_[i] = from_decibels(1.2 * shimmer_() + 1.0 * glitter_());
    }
    play_harmonics(sound, highest);
  }

 private:
  /// `speed` of the flight, 1 at middling busyness.
  Insect(const RandomStream& stream, double speed, RandomSequence body)
      : pitch_(kPitch * (1 + 0.02 * body.normal())),
        turns_(stream, bugs_turns, 3 * speed),
        darts_(stream, bugs_darts, 11 * speed),
        tremble_(stream, bugs_tremble, 32),
        approach_(stream, bugs_approach, 1.1 * speed),
        wobble_(stream, bugs_wobble, 5 * speed),
        flutter_(stream, bugs_flutter, 40),
        shimmer_(stream, bugs_shimmer, 14),
        glitter_(stream, bugs_glitter, 70),
        phase_(body.uniform()) {
    const std::array<double, kHarmonics> strengths = draw_harmonics(body);
    for (size_t k = 0; k < kHarmonics; ++k) {
      const double phase = k < 2 ? 0.3 * static_cast<double>(k + 1) : 0.7 * body.normal();
      cosine_share_[k] = strengths[k] * std::sin(phase);
      sine_share_[k] = strengths[k] * std::cos(phase);
    }
  }

  /// e^(ikθ) from e^(i(k−1)θ), for a block of samples at once.
  void play_harmonics(std::span<double> sound, double highest) {
    std::array<double, kBlock> real, imaginary, sum, first;
    real.fill(1);
    imaginary.fill(0);
    sum.fill(0);
    first.fill(0);
    for (size_t k = 0; k < kHarmonics; ++k) {
      const double top = highest * static_cast<double>(k + 1);
      const double kept = std::clamp((kHighestHarmonic - top) / 3000, 0.0, 1.0);
      const double c = kept * cosine_share_[k], s = kept * sine_share_[k];
      for (size_t i = 0; i < kBlock; ++i) {
        const double next = real[i] * cosine_[i] - imaginary[i] * sine_[i];
        imaginary[i] = real[i] * sine_[i] + imaginary[i] * cosine_[i];
        real[i] = next;
        sum[i] += c * real[i] + s * imaginary[i];
      }
      if (k == 0) std::swap(first, sum);
    }
    for (size_t i = 0; i < sound.size(); ++i) {
      sound[i] = level_[i] * (first[i] + overtones_[i] * sum[i]);
    }
  }

  double pitch_;                             // Hz
  SmoothCurve turns_, darts_, tremble_;      // of the pitch
  SmoothCurve approach_, wobble_, flutter_;  // of the level
  SmoothCurve shimmer_, glitter_;            // of the harmonics' level besides
  double phase_;                             // in turns
  std::array<double, kHarmonics> cosine_share_{}, sine_share_{};
  std::array<double, kBlock> cosine_{}, sine_{}, level_{}, overtones_{};
};

}  // namespace

std::vector<float> synthesise_bugs(double busyness, int64_t frames, const RandomStream& stream) {
  Insect insect(busyness, stream);
  RandomSequence air(stream, bugs_air);
  OnePole<> near(2500), far(2500), power(20);
  Resonator hollow(400, 0.004);
  std::vector<float> sound(static_cast<size_t>(frames));
  std::array<double, kBlock> block{};
  for (size_t begin = 0; begin < sound.size(); begin += kBlock) {
    const std::span<double> part(block.data(), std::min(kBlock, sound.size() - begin));
    insect.play(part);
    for (size_t i = 0; i < part.size(); ++i) {
      const double breath = far(near(air.normal())) * std::sqrt(power(part[i] * part[i]));
      sound[begin + i] = static_cast<float>(part[i] + 0.10 * breath + 0.009 * hollow(breath));
    }
  }
  return sound;
}

}  // namespace dsf
