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

constexpr int kMinRate = 100;
constexpr double kShelfFrequency = 1500;
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

Biquad pass_all() {
  return {{1, 0, 0}, {1, 0, 0}};
}

Biquad high_pass(double q, double frequency, double rate) {
  const double omega = 2.0 * std::numbers::pi * frequency / rate;
  const double cosine = std::cos(omega), alpha = std::sin(omega) / (2.0 * q);
  return {{(1.0 + cosine) / 2.0, -(1.0 + cosine), (1.0 + cosine) / 2.0},
          {1.0 + alpha, -2.0 * cosine, 1.0 - alpha}};
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

/// The K-weighting of one channel.
struct Weighting {
  Biquad shelf, pass;
  double weight;
};

}  // namespace

struct LoudnessMeter::State {
  int sample_rate = 0;
  // In frames. A rate below kMinRate, where a block could have none, is refused.
  int64_t block = 0, step = 0;
  std::vector<Weighting> channels;
  int64_t frames = 0;
  double energy = 0;           // weighted, of all frames so far
  std::vector<double> opened;  // energy before each block that has begun
  std::vector<double> power;   // mean power of each block that is full

  void add_frame(double energy_of_frame) {
    if (frames == static_cast<int64_t>(opened.size()) * step) opened.push_back(energy);
    energy += energy_of_frame;
    ++frames;
    const auto full = static_cast<int64_t>(power.size());
    if (frames == full * step + block) {
      power.push_back((energy - opened[static_cast<size_t>(full)]) / (0.4 * sample_rate));
    }
  }

  template <class Sample>
  void add(int64_t count, const Sample& sample) {
    for (int64_t n = 0; n < count; ++n) {
      double sum = 0;
      for (size_t c = 0; c < channels.size(); ++c) {
        const double y = channels[c].pass(channels[c].shelf(sample(n, c)));
        sum += channels[c].weight * y * y;
      }
      add_frame(sum);
    }
  }
};

LoudnessMeter::LoudnessMeter(int channels, int sample_rate) : state_(std::make_unique<State>()) {
  DSF_CHECK(channels >= 1 && static_cast<size_t>(channels) <= kChannelWeights.size(), "{} channels",
            channels);
  if (sample_rate < kMinRate) {
    fail("a sample rate of {} Hz is too low to measure loudness: at least {} Hz are needed",
         sample_rate, kMinRate);
  }
  state_->sample_rate = sample_rate;
  state_->block = static_cast<int64_t>(0.4 * sample_rate);
  state_->step = static_cast<int64_t>(0.4 * sample_rate * 0.25);
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    state_->channels.push_back(
        {sample_rate > 2 * kShelfFrequency
             ? high_shelf(4.0, 1.0 / std::numbers::sqrt2, kShelfFrequency, sample_rate)
             : pass_all(),
         high_pass(0.5, 38.0, sample_rate), kChannelWeights[c]});
  }
}

LoudnessMeter::~LoudnessMeter() = default;
LoudnessMeter::LoudnessMeter(LoudnessMeter&&) noexcept = default;

void LoudnessMeter::add(std::span<const float> samples) {
  const size_t width = state_->channels.size();
  const auto bad = std::find_if_not(samples.begin(), samples.end(),
                                    [](float sample) { return std::isfinite(sample); });
  if (bad != samples.end()) {
    fail("sample {} is {}: the loudness of such a signal is undefined",
         state_->frames * static_cast<int64_t>(width) + (bad - samples.begin()), *bad);
  }
  state_->add(static_cast<int64_t>(samples.size() / width), [&](int64_t n, size_t c) {
    return static_cast<double>(samples[static_cast<size_t>(n) * width + c]);
  });
}

double LoudnessMeter::finish() {
  State& state = *state_;
  const auto shortest = static_cast<int64_t>(0.5 * state.sample_rate);
  if (state.frames < shortest)
    state.add(shortest - state.frames, [](int64_t, size_t) { return 0; });
  // The ringing of the filters beyond the signal does not count: what fills up the last block is
  // silent behind them.
  const int64_t blocks = (state.frames - state.block + state.step - 1) / state.step + 1;
  while (static_cast<int64_t>(state.power.size()) < blocks) state.add_frame(0);
  const double relative_gate = to_lufs(gated_mean(state.power, kAbsoluteGate)) + kRelativeGate;
  return std::max(kMinLoudness,
                  to_lufs(gated_mean(state.power, std::max(kAbsoluteGate, relative_gate))));
}

double integrated_loudness(std::span<const float> samples, int channels, int sample_rate) {
  LoudnessMeter meter(channels, sample_rate);
  meter.add(samples);
  return meter.finish();
}

float gain_factor(double change) {
  return static_cast<float>(std::pow(10.0, change / 20.0));
}

double normalize_loudness(std::span<float> samples, int channels, int sample_rate, double target) {
  const double change = target - integrated_loudness(samples, channels, sample_rate);
  const float gain = gain_factor(change);
  for (float& sample : samples) sample *= gain;
  return change;
}

}  // namespace dsf
