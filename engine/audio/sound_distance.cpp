#include "engine/audio/sound_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/audio/loudness.h"
#include "engine/audio/mel_bands.h"
#include "engine/audio/windowed_spectrum.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kWindow = 2048;
constexpr int64_t kHop = 512;
constexpr int64_t kBands = 80;
constexpr double kFloor = 1e-5;

double log10_floored(double magnitude) {
  return std::log10(std::max(magnitude, kFloor));
}

/// One of the two sounds: its samples around the windows to come, and a window's spectra.
struct Side {
  std::vector<float> samples;
  std::vector<float> magnitudes;
  std::vector<double> mel;

  void look(WindowedSpectrum& spectrum, const MelBands& bands, int64_t centre) {
    const auto bins = spectrum.at(samples, centre);
    magnitudes.resize(bins.size());
    std::ranges::transform(bins, magnitudes.begin(), [](auto bin) { return std::abs(bin); });
    mel.resize(bands.bands());
    bands.apply(magnitudes, mel);
  }
};

/// The windows of one channel.
class SpectralDistance {
 public:
  void add(WindowedSpectrum& spectrum, const MelBands& bands, float reference, float other) {
    a_.samples.push_back(reference);
    b_.samples.push_back(other);
    if (begin_ + std::ssize(a_.samples) >= next_ + kWindow / 2) look(spectrum, bands);
  }
  void finish(WindowedSpectrum& spectrum, const MelBands& bands) {
    while (next_ < begin_ + std::ssize(a_.samples)) look(spectrum, bands);
  }
  double mel() const { return mel_ / static_cast<double>(windows_); }
  double log_spectral() const { return log_spectral_ / static_cast<double>(windows_); }

 private:
  void look(WindowedSpectrum& spectrum, const MelBands& bands) {
    a_.look(spectrum, bands, next_ - begin_);
    b_.look(spectrum, bands, next_ - begin_);
    double sum = 0;
    for (size_t i = 0; i < a_.mel.size(); ++i) {
      sum += std::abs(log10_floored(a_.mel[i]) - log10_floored(b_.mel[i]));
    }
    mel_ += sum / static_cast<double>(a_.mel.size());
    sum = 0;
    for (size_t i = 0; i < a_.magnitudes.size(); ++i) {
      const double decibels = 20 * (log10_floored(static_cast<double>(a_.magnitudes[i])) -
                                    log10_floored(static_cast<double>(b_.magnitudes[i])));
      sum += decibels * decibels;
    }
    log_spectral_ += std::sqrt(sum / static_cast<double>(a_.magnitudes.size()));
    ++windows_;
    next_ += kHop;
    forget();
  }
  /// Drops what no further window sees; seldom, so that samples are seldom moved.
  void forget() {
    constexpr int64_t kEnough = 1 << 15;
    const int64_t unseen = next_ - kWindow / 2 - begin_;
    if (unseen < kEnough) return;
    for (Side* side : {&a_, &b_}) {
      side->samples.erase(side->samples.begin(), side->samples.begin() + unseen);
    }
    begin_ += unseen;
  }

  Side a_, b_;
  int64_t begin_ = 0;  // of the samples that are kept
  int64_t next_ = 0;   // window's centre
  int64_t windows_ = 0;
  double mel_ = 0, log_spectral_ = 0;  // sums over the windows
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What the SI-SDR of one channel needs, in sums; of what is beyond the first sample, which does
/// not matter and leaves exact zeros of a constant.
class Projection {
 public:
  void add(double a, double b) {
    if (count_++ == 0) {
      first_a_ = a;
      first_b_ = b;
    }
    a -= first_a_;
    b -= first_b_;
    a_ += a;
    b_ += b;
    aa_ += a * a;
    ab_ += a * b;
    bb_ += b * b;
  }
  double si_sdr() const {
    const double aa = aa_ - a_ * a_ / count_, bb = bb_ - b_ * b_ / count_;
    const double ab = ab_ - a_ * b_ / count_;
    if (aa <= 0 || bb <= 0) return aa <= 0 && bb <= 0 ? kInfinity : -kInfinity;
    const double scale = ab / aa;
    const double target = scale * ab, rest = bb - target;
    if (rest <= 0) return kInfinity;
    return 10 * std::log10(target / rest);
  }

 private:
  double first_a_ = 0, first_b_ = 0;
  double count_ = 0, a_ = 0, b_ = 0, aa_ = 0, ab_ = 0, bb_ = 0;
};

}  // namespace

struct SoundComparison::State {
  State(int channels, int sample_rate)
      : bands(kBands, kWindow, sample_rate),
        spectra(static_cast<size_t>(channels)),
        projections(static_cast<size_t>(channels)),
        loudness_a(channels, sample_rate),
        loudness_b(channels, sample_rate) {}

  WindowedSpectrum spectrum{kWindow};
  MelBands bands;
  std::vector<SpectralDistance> spectra;  // of each channel
  std::vector<Projection> projections;
  LoudnessMeter loudness_a, loudness_b;
  bool empty = true;
};

SoundComparison::SoundComparison(int channels, int sample_rate)
    : state_(std::make_unique<State>(channels, sample_rate)) {}

SoundComparison::~SoundComparison() = default;
SoundComparison::SoundComparison(SoundComparison&&) noexcept = default;

void SoundComparison::add(std::span<const float> reference, std::span<const float> other) {
  DSF_CHECK(reference.size() == other.size(), "{} samples, {} of the other", reference.size(),
            other.size());
  State& state = *state_;
  state.loudness_a.add(reference);  // checks them, too
  state.loudness_b.add(other);
  const size_t channels = state.spectra.size();
  for (size_t i = 0; i < reference.size(); ++i) {
    const size_t c = i % channels;
    state.spectra[c].add(state.spectrum, state.bands, reference[i], other[i]);
    state.projections[c].add(static_cast<double>(reference[i]), static_cast<double>(other[i]));
  }
  state.empty = state.empty && reference.empty();
}

SoundDistance SoundComparison::finish() {
  State& state = *state_;
  if (state.empty) fail("there is no sound to compare");
  std::vector<SoundDistance> channels;
  for (size_t c = 0; c < state.spectra.size(); ++c) {
    SpectralDistance& spectral = state.spectra[c];
    spectral.finish(state.spectrum, state.bands);
    channels.push_back({spectral.mel(), spectral.log_spectral(), state.projections[c].si_sdr(), 0});
  }
  SoundDistance result = mean_distance(channels);
  result.loudness = state.loudness_b.finish() - state.loudness_a.finish();
  return result;
}

SoundDistance mean_distance(std::span<const SoundDistance> distances) {
  SoundDistance mean;
  bool lost = false;
  for (const SoundDistance& distance : distances) {
    mean.mel += distance.mel;
    mean.log_spectral += distance.log_spectral;
    mean.si_sdr += distance.si_sdr;
    mean.loudness += distance.loudness;
    lost = lost || distance.si_sdr == -kInfinity;
  }
  const auto count = static_cast<double>(std::max<size_t>(1, distances.size()));
  for (double* sum : {&mean.mel, &mean.log_spectral, &mean.si_sdr, &mean.loudness}) *sum /= count;
  if (lost) mean.si_sdr = -kInfinity;
  return mean;
}

SoundDistance sound_distance(std::span<const float> reference, std::span<const float> other,
                             int sample_rate) {
  const size_t length = std::min(reference.size(), other.size());
  SoundComparison comparison(1, sample_rate);
  comparison.add(reference.first(length), other.first(length));
  return comparison.finish();
}

}  // namespace dsf
