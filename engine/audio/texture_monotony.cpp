#include "engine/audio/texture_monotony.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace dsf {
namespace {

constexpr size_t kSmoothed = 32,
                 kStep = 8;     // windows that a mean is taken of, and from one to the next
constexpr double kStretch = 1;  // seconds
constexpr double kLoop = 5, kShortestLoop = 0.25;
constexpr double kLeastMovement = 0.02;  // of bands that count as moving

/// Envelopes at a rate of which 1 s has dozens.
struct Smoothed {
  double rate = 0;
  size_t points = 0;
  std::vector<double> values;  // [points, kSubbands]

  double at(size_t point, size_t band) const { return values[point * kSubbands + band]; }
  size_t in(double seconds) const { return static_cast<size_t>(std::lround(seconds * rate)); }
};

Smoothed smooth(const SubbandEnvelopes& envelopes) {
  Smoothed result;
  result.rate = envelopes.rate / kStep;
  if (envelopes.windows < kSmoothed) return result;
  result.points = (envelopes.windows - kSmoothed) / kStep + 1;
  // Weighted as a Hann window: an even mean would let through much of a frame's own rhythm.
  std::array<double, kSmoothed> weights{};
  for (size_t i = 0; i < kSmoothed; ++i) {
    const double phase = 2 * std::numbers::pi * (static_cast<double>(i) + 0.5) / kSmoothed;
    weights[i] = (1 - std::cos(phase)) / kSmoothed;
  }
  for (size_t point = 0; point < result.points; ++point) {
    for (size_t band = 0; band < kSubbands; ++band) {
      const auto values = envelopes.band(band).subspan(point * kStep, kSmoothed);
      result.values.push_back(
          std::inner_product(values.begin(), values.end(), weights.begin(), 0.0));
    }
  }
  return result;
}

struct MeanAndDeviation {
  double mean = 0, deviation = 0;
};

MeanAndDeviation measure(const Smoothed& smoothed, size_t band, size_t first, size_t count) {
  MeanAndDeviation result;
  for (size_t i = 0; i < count; ++i) result.mean += smoothed.at(first + i, band);
  result.mean /= static_cast<double>(count);
  double squares = 0;
  for (size_t i = 0; i < count; ++i) {
    const double difference = smoothed.at(first + i, band) - result.mean;
    squares += difference * difference;
  }
  result.deviation = std::sqrt(squares / static_cast<double>(count));
  return result;
}

/// The stretch in units of each band's deviation; all 0 for bands that do not move.
std::vector<double> standardise(const Smoothed& smoothed, size_t first, size_t count) {
  std::vector<double> result(count * kSubbands, 0.0);
  for (size_t band = 0; band < kSubbands; ++band) {
    const auto [mean, deviation] = measure(smoothed, band, first, count);
    if (deviation < kLeastMovement * mean) continue;
    for (size_t i = 0; i < count; ++i) {
      result[i * kSubbands + band] = (smoothed.at(first + i, band) - mean) / deviation;
    }
  }
  return result;
}

}  // namespace

double least_movement(const SubbandEnvelopes& envelopes) {
  const Smoothed smoothed = smooth(envelopes);
  const size_t stretch = smoothed.in(kStretch);
  double least = 0;
  for (size_t first = 0; first + stretch <= smoothed.points; first += stretch / 4) {
    double squares = 0;
    for (size_t band = 0; band < kSubbands; ++band) {
      const auto [mean, deviation] = measure(smoothed, band, first, stretch);
      squares += deviation * deviation / (mean * mean) / kSubbands;
    }
    const double movement = std::sqrt(squares);
    if (first == 0 || movement < least) least = movement;
  }
  return least;
}

double strongest_repetition(const SubbandEnvelopes& envelopes) {
  const Smoothed smoothed = smooth(envelopes);
  const size_t loop = smoothed.in(kLoop), shortest = smoothed.in(kShortestLoop);
  double strongest = 0;
  for (size_t first = loop; first + loop <= smoothed.points; first += loop / 2) {
    const std::vector<double> now = standardise(smoothed, first, loop);
    double power = 0;
    for (const double value : now) power += value * value;
    if (power == 0) continue;
    for (size_t lag = shortest; lag <= loop; ++lag) {
      const std::vector<double> before = standardise(smoothed, first - lag, loop);
      double product = 0, before_power = 0;
      for (size_t i = 0; i < now.size(); ++i) {
        product += now[i] * before[i];
        before_power += before[i] * before[i];
      }
      if (before_power == 0) continue;
      strongest = std::max(strongest, product / std::sqrt(power * before_power));
    }
  }
  return strongest;
}

}  // namespace dsf
