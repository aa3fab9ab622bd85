#pragma once
// What the synthesisers are built from: random numbers, one-pole filters, resonators, smooth
// curves.
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "engine/textures/texture.h"
#include "kernels/common/random.h"

namespace dsf {

/// e^(-1/n) with n samples in `seconds`: what an exponential decay keeps from sample to sample.
inline double decay_per_sample(double seconds) {
  return std::exp(-1.0 / (seconds * kTextureSampleRate));
}

/// Random numbers of one take, drawn in order. Each component of a sound has a sequence of its own,
/// so that how much one component draws (a longer take) does not change another.
class RandomSequence {
 public:
  RandomSequence(const RandomStream& stream, uint32_t component)
      : stream_(stream), index_(static_cast<uint64_t>(component) << 40U) {}

  /// In (0, 1).
  double uniform() {
    const std::array<uint32_t, 4> words = random_words(stream_, index_++);
    return to_open_unit(words[0]);
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, by Box and Muller.
  double normal() {
    if (used_ == normals_.size()) refill();
    return normals_[used_++];
  }
  /// A factor whose logarithm is normal with this deviation.
  double log_normal(double deviation) { return std::exp(deviation * normal()); }

 private:
  static double to_open_unit(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }
  void refill() {
    const std::array<uint32_t, 4> words = random_words(stream_, index_++);
    for (size_t pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2 * std::log(to_open_unit(words[pair])));
      const double angle = 2 * std::numbers::pi * to_open_unit(words[pair + 1]);
      normals_[pair] = radius * std::cos(angle);
      normals_[pair + 1] = radius * std::sin(angle);
    }
    used_ = 0;
  }

  RandomStream stream_;
  uint64_t index_;
  std::array<double, 4> normals_{};
  size_t used_ = 4;
};

/// y += (1 − a)(x − y), with a = e^(−2π·frequency/rate): a low-pass of 6 dB per octave. `Value` may
/// be complex.
template <class Value = double>
class OnePole {
 public:
  explicit OnePole(double frequency)
      : share_(1 - std::exp(-2 * std::numbers::pi * frequency / kTextureSampleRate)) {}
  Value operator()(Value x) { return state_ += share_ * (x - state_); }

 private:
  double share_;
  Value state_{};
};

/// What a one-pole low-pass leaves out.
class HighPass {
 public:
  explicit HighPass(double frequency) : low_(frequency) {}
  double operator()(double x) { return x - low_(x); }

 private:
  OnePole<> low_;
};

/// Two poles; the impulse response is e^(−t/decay)·sin(2π·frequency·t), from its second sample on.
class Resonator {
 public:
  Resonator(double frequency, double decay_seconds) {
    const double radius = decay_per_sample(decay_seconds);
    const double angle = 2 * std::numbers::pi * frequency / kTextureSampleRate;
    input_ = std::sin(angle);
    first_ = 2 * radius * std::cos(angle);
    second_ = -radius * radius;
  }
  double operator()(double x) {
    const double y = input_ * x + first_ * before_ + second_ * before_that_;
    before_that_ = before_;
    return before_ = y;
  }

 private:
  double input_, first_, second_;
  double before_ = 0, before_that_ = 0;
};

/// A smooth random curve of unit variance that holds frequencies up to about `rate` Hz: normal
/// points, two for each 1/rate, joined by Catmull-Rom splines.
class SmoothCurve {
 public:
  SmoothCurve(const RandomStream& stream, uint32_t component, double rate)
      : random_(stream, component), step_(2 * rate / kTextureSampleRate) {
    for (double& point : points_) point = random_.normal();
    place_ = random_.uniform();
  }
  /// The next sample's value.
  double operator()() {
    const auto& [a, b, c, d] = points_;
    const double u = place_;
    const double value =
        b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)));
    place_ += step_;
    while (place_ >= 1) {
      place_ -= 1;
      points_ = {points_[1], points_[2], points_[3], random_.normal()};
    }
    return value * kUnitVariance;
  }

 private:
  // 1/√(57/70): the spline's variance is 1 at the points, 0.64 midway, and 57/70 on average.
  static constexpr double kUnitVariance = 1.1081941875543878;
  RandomSequence random_;
  double step_;
  std::array<double, 4> points_{};
  double place_ = 0;  // between the second and the third point
};

/// A factor for a level in decibels.
inline double from_decibels(double decibels) {
  return std::exp(decibels * (std::numbers::ln10 / 20));
}

}  // namespace dsf
