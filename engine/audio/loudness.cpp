#include "engine/audio/loudness.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr double kAbsoluteGate = -70.0;  // LUFS
constexpr double kRelativeGate = -10.0;  // LU below the loudness of what passes the absolute gate
// Weights of the channels in order left, right, centre and the two surrounds.
constexpr std::array<double, 5> kChannelWeights = {1.0, 1.0, 1.0, 1.41, 1.41};

/// A second-order filter in transposed direct form II.
class Biquad {
 public:
  Biquad(std::array<double, 3> b, std::array<double, 3> a) {
    for (size_t i = 0; i < 3; ++i) {
      b_[i] = b[i] / a[0];
      a_[i] = a[i] / a[0];
    }
  }
  double operator()(double x) {
    const double y = b_[0] * x + state1_;
    state1_ = b_[1] * x - a_[1] * y + state2_;
    state2_ = b_[2] * x - a_[2] * y;
    return y;
  }

 private:
  std::array<double, 3> b_, a_;
  double state1_ = 0, state2_ = 0;
};

// Both from R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients".
Biquad high_shelf(double gain_db, double q, double frequency, double rate) {
  const double gain = std::pow(10.0, gain_db / 40.0);
  const double omega = 2.0 * std::numbers::pi * frequency / rate;
  const double cosine = std::cos(omega);
  const double slope = 2.0 * std::sqrt(gain) * std::sin(omega) / (2.0 * q);
  const double up = gain + 1.0, down = gain - 1.0;
  return {{gain * (up + down * cosine + slope), -2.0 * gain * (down + up * cosine),
           gain * (up + down * cosine - slope)},
          {up - down * cosine + slope, 2.0 * (down - up * cosine), up - down * cosine - slope}};
}

Biquad high_pass(double q, double frequency, double rate) {
  const double omega = 2.0 * std::numbers::pi * frequency / rate;
  const double cosine = std::cos(omega), alpha = std::sin(omega) / (2.0 * q);
  return {{(1.0 + cosine) / 2.0, -(1.0 + cosine), (1.0 + cosine) / 2.0},
          {1.0 + alpha, -2.0 * cosine, 1.0 - alpha}};
}

struct Blocks {
  int64_t length, step, count;  // in samples; how many
};

Blocks gating_blocks(int64_t frames, int sample_rate) {
  const int64_t length = std::max<int64_t>(1, static_cast<int64_t>(0.4 * sample_rate));
  const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(0.4 * sample_rate * 0.25));
  const int64_t shortest = static_cast<int64_t>(0.5 * sample_rate);
  const int64_t padded = std::max({frames, shortest, length});
  return {length, step, (padded - length + step - 1) / step + 1};
}

/// Adds the weighted mean square of one filtered channel to every block's power.
void add_channel(std::vector<double>& power, std::span<const float> samples, size_t channel,
                 size_t channels, const Blocks& blocks, int sample_rate) {
  Biquad shelf = high_shelf(4.0, 1.0 / std::numbers::sqrt2, 1500.0, sample_rate);
  Biquad pass = high_pass(0.5, 38.0, sample_rate);
  const double scale = kChannelWeights[channel] / (0.4 * sample_rate);
  std::vector<double> before(power.size());  // energy of all samples before each block
  double energy = 0;
  size_t opened = 0, closed = 0;
  const int64_t end = (blocks.count - 1) * blocks.step + blocks.length;
  const auto frames = static_cast<int64_t>(samples.size() / channels);
  for (int64_t n = 0; n < end; ++n) {
    if (opened < before.size() && n == static_cast<int64_t>(opened) * blocks.step) {
      before[opened++] = energy;
    }
    // The ringing of the filters beyond the signal counts only in a signal filled up before them.
    const bool inside = n < frames;
    if (inside || n < static_cast<int64_t>(0.5 * sample_rate)) {
      const double x = inside ? samples[static_cast<size_t>(n) * channels + channel] : 0.0F;
      const double y = pass(shelf(x));
      energy += y * y;
    }
    if (n + 1 == static_cast<int64_t>(closed) * blocks.step + blocks.length) {
      power[closed] += scale * (energy - before[closed]);
      ++closed;
    }
  }
}

double to_lufs(double power) {
  return -0.691 + 10.0 * std::log10(power);
}

/// Mean power of the blocks louder than `gate` LUFS; 0 where there is none.
double gated_mean(const std::vector<double>& power, double gate) {
  double sum = 0;
  int64_t count = 0;
  for (const double p : power) {
    if (to_lufs(p) <= gate) continue;
    sum += p;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

}  // namespace

double integrated_loudness(std::span<const float> samples, int channels, int sample_rate) {
  DSF_CHECK(channels >= 1 && static_cast<size_t>(channels) <= kChannelWeights.size(), "{} channels",
            channels);
  DSF_CHECK(sample_rate >= 100, "a sample rate of {} Hz", sample_rate);
  const auto bad = std::find_if_not(samples.begin(), samples.end(),
                                    [](float sample) { return std::isfinite(sample); });
  if (bad != samples.end()) {
    fail("sample {} is {}: the loudness of such a signal is undefined", bad - samples.begin(),
         *bad);
  }
  const auto width = static_cast<size_t>(channels);
  const Blocks blocks = gating_blocks(static_cast<int64_t>(samples.size() / width), sample_rate);
  std::vector<double> power(static_cast<size_t>(blocks.count), 0.0);
  for (size_t channel = 0; channel < width; ++channel) {
    add_channel(power, samples, channel, width, blocks, sample_rate);
  }
  const double relative_gate = to_lufs(gated_mean(power, kAbsoluteGate)) + kRelativeGate;
  return std::max(kMinLoudness, to_lufs(gated_mean(power, std::max(kAbsoluteGate, relative_gate))));
}

double normalize_loudness(std::span<float> samples, int channels, int sample_rate, double target) {
  const double change = target - integrated_loudness(samples, channels, sample_rate);
  const auto gain = static_cast<float>(std::pow(10.0, change / 20.0));
  for (float& sample : samples) sample *= gain;
  return change;
}

}  // namespace dsf
