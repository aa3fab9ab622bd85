#include "engine/audio/texture_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/audio/windowed_spectrum.h"
#include "kernels/common/checks.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

enum Group : size_t {
  group_level,
  group_variation,
  group_skewness,
  group_modulation,
  group_correlation
};

constexpr size_t kBandsApart[] = {1, 2, 4, 8};  // whose correlations are taken
constexpr double kLeastVariation = 0.02;
// Per group, in its units.
constexpr std::array<double, kStatisticGroups.size()> kInaudible = {0.5, 0.02, 0.1, 0.02, 0.02};
constexpr size_t kLeastTakes = 4;
constexpr int kOrders = 200;  // of takes, that are tried for the limit of drift
constexpr double kDeviations = 3;

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

struct Moments {
  double mean = 0, deviation = 0, third = 0;
  /// The deviation with what is always added.
  double sigma() const { return std::hypot(deviation, kLeastVariation * mean); }
};

Moments moments_of(std::span<const double> values) {
  Moments moments{mean_of(values)};
  double squares = 0, cubes = 0;
  for (const double value : values) {
    const double difference = value - moments.mean;
    squares += difference * difference;
    cubes += difference * difference * difference;
  }
  moments.deviation = std::sqrt(squares / static_cast<double>(values.size()));
  moments.third = cubes / static_cast<double>(values.size());
  return moments;
}

/// The largest even number up to `most` that has no prime factor above 5: what a Fourier transform
/// is fast for.
size_t fast_size_below(size_t most) {
  for (size_t size = most / 2 * 2; size > 2; size -= 2) {
    size_t rest = size;
    for (const size_t prime : {2, 3, 5}) {
      while (rest % prime == 0) rest /= prime;
    }
    if (rest == 1) return size;
  }
  return 2;
}

/// Roots of the shares of a band's variance that fall to the bands of modulation, below 0.7 Hz
/// first.
class ModulationSpectrum {
 public:
  ModulationSpectrum(size_t windows, double rate)
      : rate_(rate), spectrum_(static_cast<int64_t>(fast_size_below(windows))) {}

  void append(std::span<const double> envelope, const Moments& moments,
              std::vector<double>& result) {
    const auto size = static_cast<size_t>(spectrum_.size());
    swing_.assign(size, 0.0F);
    const size_t known = std::min(size, envelope.size());  // one window has no two points
    for (size_t i = 0; i < known; ++i) swing_[i] = static_cast<float>(envelope[i] - moments.mean);
    const auto bins = spectrum_.at(swing_, static_cast<int64_t>(size / 2));
    std::array<double, kModulationBands> powers{};
    for (size_t bin = 1; bin < bins.size(); ++bin) {
      const double frequency = static_cast<double>(bin) * rate_ / static_cast<double>(size);
      const double octave = std::floor(std::log2(frequency) + 1.5);  // 1 Hz is in the middle of 1
      const double last = static_cast<double>(kModulationBands - 1);
      powers[static_cast<size_t>(std::clamp(octave, 0.0, last))] += std::norm(bins[bin]);
    }
    // Of white noise Σ over half the bins is 3/16·size² times the variance.
    const double whole = 3.0 / 16 * static_cast<double>(size * size);
    const double variance = moments.sigma() * moments.sigma();
    for (const double power : powers) {
      result.push_back(std::sqrt(std::min(1.0, power / (whole * variance))));
    }
  }

 private:
  double rate_;
  WindowedSpectrum spectrum_;
  std::vector<float> swing_;
};

double covariance(std::span<const double> one, double one_mean, std::span<const double> other,
                  double other_mean) {
  double sum = 0;
  for (size_t i = 0; i < one.size(); ++i) sum += (one[i] - one_mean) * (other[i] - other_mean);
  return sum / static_cast<double>(one.size());
}

/// Calls visit(group, index) for every statistic.
template <class Visit>
void for_each_statistic(const TextureStatistics& of, const Visit& visit) {
  for (size_t group = 0; group < of.groups.size(); ++group) {
    for (size_t i = 0; i < of.groups[group].size(); ++i) visit(group, i);
  }
}

TextureStatistics mean_of(std::span<const TextureStatistics> takes) {
  TextureStatistics mean = takes.front();
  for_each_statistic(mean, [&](size_t group, size_t i) {
    double sum = 0;
    for (const TextureStatistics& take : takes) sum += take.groups[group][i];
    mean.groups[group][i] = sum / static_cast<double>(takes.size());
  });
  return mean;
}

/// Deviations over the takes, with those of what nobody hears.
TextureStatistics deviation_of(std::span<const TextureStatistics> takes,
                               const TextureStatistics& mean) {
  TextureStatistics deviation = mean;
  for_each_statistic(mean, [&](size_t group, size_t i) {
    double squares = 0;
    for (const TextureStatistics& take : takes) {
      const double difference = take.groups[group][i] - mean.groups[group][i];
      squares += difference * difference;
    }
    const double own = std::sqrt(squares / static_cast<double>(takes.size() - 1));
    deviation.groups[group][i] = std::hypot(own, kInaudible[group]);
  });
  return deviation;
}

TextureDistance distance_between(const TextureStatistics& one, const TextureStatistics& other,
                                 const TextureStatistics& deviation) {
  TextureDistance distance;
  for_each_statistic(one, [&](size_t group, size_t i) {
    const double units =
        (one.groups[group][i] - other.groups[group][i]) / deviation.groups[group][i];
    distance.groups[group] += units * units / static_cast<double>(one.groups[group].size());
  });
  distance.all = std::sqrt(mean_of(distance.groups));
  for (double& group : distance.groups) group = std::sqrt(group);
  return distance;
}

/// The upper ends of the usual ranges.
TextureDistance usual_limit(const std::vector<TextureDistance>& distances) {
  const auto limit_of = [&](const auto& part) {
    std::vector<double> values(distances.size());
    std::ranges::transform(distances, values.begin(), part);
    return usual_range(values).high;
  };
  TextureDistance limit;
  limit.all = limit_of([](const TextureDistance& distance) { return distance.all; });
  for (size_t group = 0; group < limit.groups.size(); ++group) {
    limit.groups[group] =
        limit_of([group](const TextureDistance& distance) { return distance.groups[group]; });
  }
  return limit;
}

/// Drift is between the first and the last third.
void require_thirds(size_t parts) {
  if (parts < 3) fail("drift over {} parts: at least 3 are needed", parts);
}

}  // namespace

std::string statistic_name(size_t group, size_t index) {
  const auto band = [](size_t b) {
    if (b >= kSubbands) fail("band number {} of {}", b, kSubbands);
    return fmt::format("{:.0f} Hz", subband_frequency(b));
  };
  if (group == group_modulation) {
    const size_t octave = index % kModulationBands;
    return fmt::format("modulation {} of the band of {}",
                       octave == 0 ? "below 0.7 Hz" : fmt::format("at {} Hz", 1 << (octave - 1)),
                       band(index / kModulationBands));
  }
  if (group != group_correlation) {
    return fmt::format("{} of the band of {}", kStatisticGroups.at(group), band(index));
  }
  for (const size_t apart : kBandsApart) {
    if (index < kSubbands - apart) {
      return fmt::format("correlation of the bands of {} and {}", band(index), band(index + apart));
    }
    index -= kSubbands - apart;
  }
  fail("correlation number {} of the last", index);
}

TextureStatistics measure_statistics(const SubbandEnvelopes& envelopes) {
  TextureStatistics result;
  std::array<Moments, kSubbands> moments;
  ModulationSpectrum modulation(envelopes.windows, envelopes.rate);
  for (size_t b = 0; b < kSubbands; ++b) {
    moments[b] = moments_of(envelopes.band(b));
    const double sigma = moments[b].sigma();
    result.groups[group_level].push_back(envelope_level(moments[b].mean));
    result.groups[group_variation].push_back(moments[b].deviation / moments[b].mean);
    result.groups[group_skewness].push_back(moments[b].third / (sigma * sigma * sigma));
    modulation.append(envelopes.band(b), moments[b], result.groups[group_modulation]);
  }
  for (const size_t apart : kBandsApart) {
    for (size_t b = 0; b + apart < kSubbands; ++b) {
      const Moments &one = moments[b], &other = moments[b + apart];
      const double sum =
          covariance(envelopes.band(b), one.mean, envelopes.band(b + apart), other.mean);
      result.groups[group_correlation].push_back(sum / (one.sigma() * other.sigma()));
    }
  }
  return result;
}

TextureStatistics measure_statistics(std::span<const float> sound, int sample_rate) {
  return measure_statistics(measure_envelopes(sound, sample_rate));
}

double share_of_limit(const TextureDistance& distance, const TextureDistance& limit) {
  double share = distance.all / limit.all;
  for (size_t group = 0; group < distance.groups.size(); ++group) {
    share = std::max(share, distance.groups[group] / limit.groups[group]);
  }
  return share;
}

TextureSpread::TextureSpread(std::vector<TextureStatistics> takes) : takes_(std::move(takes)) {
  if (takes_.size() < kLeastTakes) {
    fail("a spread over {} takes: at least {} are needed", takes_.size(), kLeastTakes);
  }
  mean_ = mean_of(takes_);
  deviation_ = deviation_of(takes_, mean_);
}

TextureDistance TextureSpread::distance(const TextureStatistics& statistics) const {
  return distance_between(statistics, mean_, deviation_);
}

TextureStatistics TextureSpread::difference(const TextureStatistics& statistics) const {
  TextureStatistics difference = statistics;
  for_each_statistic(statistics, [&](size_t group, size_t i) {
    difference.groups[group][i] -= mean_.groups[group][i];
    difference.groups[group][i] /= deviation_.groups[group][i];
  });
  return difference;
}

TextureDistance TextureSpread::drift(std::span<const TextureStatistics> parts) const {
  require_thirds(parts.size());
  const size_t third = parts.size() / 3;
  return distance_between(mean_of(parts.last(third)), mean_of(parts.first(third)), deviation_);
}

TextureDistance TextureSpread::distance_limit() const {
  std::vector<TextureDistance> distances;
  for (size_t left_out = 0; left_out < takes_.size(); ++left_out) {
    std::vector<TextureStatistics> others = takes_;
    others.erase(others.begin() + static_cast<ptrdiff_t>(left_out));
    const TextureStatistics mean = mean_of(others);
    const TextureStatistics deviation = deviation_of(others, mean);
    distances.push_back(distance_between(takes_[left_out], mean, deviation));
  }
  return usual_limit(distances);
}

TextureDistance TextureSpread::drift_limit(size_t parts) const {
  // Takes stand for parts; there are only so many of them.
  require_thirds(parts);
  const size_t third = std::min(parts, takes_.size()) / 3;
  const RandomStream stream{0, 0, 0};
  std::vector<TextureStatistics> order = takes_;
  std::vector<TextureDistance> drifts;
  uint64_t draw = 0;
  for (int i = 0; i < kOrders; ++i) {
    for (size_t place = order.size() - 1; place > 0; --place) {
      std::swap(order[place], order[random_words(stream, draw++)[0] % (place + 1)]);
    }
    drifts.push_back(distance_between(mean_of(std::span(order).last(third)),
                                      mean_of(std::span(order).first(third)), deviation_));
  }
  // Takes that the deviations were not estimated from are farther apart, in units of these: their
  // mean square is that of a t distribution.
  const auto count = static_cast<double>(takes_.size());
  const double farther = std::sqrt((count - 1) / (count - 3));
  TextureDistance limit = usual_limit(drifts);
  limit.all *= farther;
  for (double& group : limit.groups) group *= farther;
  return limit;
}

NearestTexture::NearestTexture(const std::vector<std::vector<TextureStatistics>>& textures) {
  std::vector<TextureStatistics> deviations;
  for (const std::vector<TextureStatistics>& takes : textures) {
    DSF_CHECK(takes.size() >= 2, "a texture of {} takes", takes.size());
    means_.push_back(mean_of(takes));
    deviations.push_back(deviation_of(takes, means_.back()));
  }
  DSF_CHECK(means_.size() >= 2, "{} textures", means_.size());
  deviation_ = means_.front();
  for_each_statistic(deviation_, [&](size_t group, size_t i) {
    double squares = 0;
    for (const TextureStatistics& one : deviations) {
      squares += one.groups[group][i] * one.groups[group][i];
    }
    deviation_.groups[group][i] = std::sqrt(squares / static_cast<double>(deviations.size()));
  });
}

size_t NearestTexture::find(const TextureStatistics& statistics) const {
  std::vector<double> distances;
  for (const TextureStatistics& mean : means_) {
    distances.push_back(distance_between(statistics, mean, deviation_).all);
  }
  return static_cast<size_t>(std::ranges::min_element(distances) - distances.begin());
}

UsualRange usual_range(std::span<const double> values) {
  std::vector<double> logarithms;
  for (const double value : values) logarithms.push_back(std::log(std::max(value, 1e-12)));
  const double mean = mean_of(logarithms);
  double squares = 0;
  for (const double value : logarithms) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(logarithms.size() - 1));
  return {std::exp(mean - kDeviations * deviation), std::exp(mean + kDeviations * deviation)};
}

}  // namespace dsf
