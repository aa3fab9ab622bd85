#include "engine/audio/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "kernels/common/checks.h"
#include "kernels/common/multiversion.h"

namespace dsf {
namespace {

constexpr int64_t kZeros = 24;  // zero crossings of the sinc on each side
constexpr double kRolloff = 0.945;
constexpr int kMaxRate = 1'000'000;
constexpr int64_t kMaxRatio = 256;
constexpr int64_t kMaxTaps = int64_t{1} << 25;  // of all phases: 128 MiB

double windowed_sinc(double t) {
  if (std::abs(t) >= kZeros) return 0;
  const double angle = std::numbers::pi * t;
  const double window = std::cos(angle / (2 * kZeros));
  return (t == 0 ? 1 : std::sin(angle) / angle) * window * window;
}

DSF_MULTIVERSION float dot(const float* __restrict a, const float* __restrict b, int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

Resampler::Resampler(int channels, int from, int to) : channels_(static_cast<size_t>(channels)) {
  if (from < 1 || to < 1 || from > kMaxRate || to > kMaxRate || from > kMaxRatio * to ||
      to > kMaxRatio * from) {
    fail(
        "cannot resample from {} to {} Hz: rates of 1 … {} that differ by a factor of {} at most "
        "can",
        from, to, kMaxRate, kMaxRatio);
  }
  const int divisor = std::gcd(from, to);
  from_ = from / divisor;
  to_ = to / divisor;
  if (from_ == to_) return;
  const double cutoff = kRolloff * static_cast<double>(std::min(from_, to_)) /
                        static_cast<double>(from_);  // in half cycles per frame of x
  reach_ = static_cast<int64_t>(std::ceil(kZeros / cutoff));
  begin_ = -reach_;
  const int64_t width = 2 * reach_ + 1;
  if (to_ > kMaxTaps / width) {
    fail(
        "cannot resample from {} to {} Hz: rates with so large a lowest common multiple would "
        "take {} MiB of filters",
        from, to, to_ * width / 262144);
  }
  taps_.resize(static_cast<size_t>(to_ * width));
  std::vector<double> taps(static_cast<size_t>(width));
  for (int64_t phase = 0; phase < to_; ++phase) {
    const double middle = static_cast<double>(phase * from_ % to_) / static_cast<double>(to_);
    double sum = 0;
    for (int64_t k = 0; k < width; ++k) {
      const double tap = windowed_sinc((static_cast<double>(k - reach_) - middle) * cutoff);
      taps[static_cast<size_t>(k)] = tap;
      sum += tap;
    }
    std::ranges::transform(taps, taps_.begin() + phase * width,
                           [sum](double tap) { return static_cast<float>(tap / sum); });
  }
}

void Resampler::append(std::span<const float> samples, int64_t times) {
  const size_t width = channels_.size();
  for (size_t c = 0; c < width; ++c) {
    std::vector<float>& x = channels_[c];
    for (int64_t i = 0; i < times; ++i) {
      for (size_t n = c; n < samples.size(); n += width) x.push_back(samples[n]);
    }
  }
}

void Resampler::add(std::span<const float> samples, std::vector<float>& result) {
  if (samples.empty()) return;
  received_ += static_cast<int64_t>(samples.size() / channels_.size());
  if (from_ == to_) {
    result.insert(result.end(), samples.begin(), samples.end());
    return;
  }
  const auto frame = [&](size_t n) { return samples.subspan(n, channels_.size()); };
  if (channels_[0].empty()) append(frame(0), reach_);
  append(samples, 1);
  last_.assign(samples.end() - static_cast<std::ptrdiff_t>(channels_.size()), samples.end());
  // Frame n of y takes frames of x up to ⌊n·from/to⌋ + reach.
  produce((std::max<int64_t>(0, received_ - reach_) * to_ + from_ - 1) / from_, result);
}

void Resampler::finish(std::vector<float>& result) {
  if (from_ == to_ || received_ == 0) return;
  append(last_, reach_ + 1);
  produce(received_ * to_ / from_, result);
}

/// Frames of y up to `end`.
void Resampler::produce(int64_t end, std::vector<float>& result) {
  const int64_t width = 2 * reach_ + 1;
  for (; produced_ < end; ++produced_) {
    const int64_t first = produced_ * from_ / to_ - reach_ - begin_;
    const float* taps = taps_.data() + produced_ % to_ * width;
    for (const std::vector<float>& x : channels_) {
      result.push_back(dot(x.data() + first, taps, width));
    }
  }
  const int64_t done = produced_ * from_ / to_ - reach_ - begin_;
  constexpr int64_t kEnough = 1 << 16;  // so that frames are seldom moved
  if (done < kEnough) return;
  for (std::vector<float>& x : channels_) x.erase(x.begin(), x.begin() + done);
  begin_ += done;
}

Audio resample(const Audio& audio, int sample_rate) {
  if (audio.sample_rate == sample_rate) return audio;
  Audio result{sample_rate, audio.channels, {}};
  Resampler resampler(audio.channels, audio.sample_rate, sample_rate);
  resampler.add(audio.samples, result.samples);
  resampler.finish(result.samples);
  return result;
}

}  // namespace dsf
