#include "engine/picture/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dsf {

double Axis::position(double value) const {
  if (logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

std::vector<Axis::Tick> even_ticks(double low, double high, int most) {
  const double least_step = (high - low) / most;
  const double power = std::pow(10.0, std::floor(std::log10(least_step)));
  double step = power;
  for (const double factor : {2.0, 5.0, 10.0}) {
    if (step < least_step) step = factor * power;
  }
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  const double slack = 1e-9 * step;  // ends that are multiples of the step count, rounded or not
  std::vector<Axis::Tick> ticks;
  for (double multiple = std::ceil((low - slack) / step); multiple * step <= high + slack;
       ++multiple) {
    // The sum turns −0 into 0.
    ticks.push_back({multiple * step, fmt::format("{:.{}f}", multiple * step + 0.0, decimals)});
  }
  return ticks;
}

std::vector<Axis::Tick> frequency_ticks(double low, double high) {
  std::vector<Axis::Tick> ticks;
  const int last = static_cast<int>(std::floor(std::log10(high)));
  for (int power = static_cast<int>(std::floor(std::log10(low))); power <= last; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10.0, power);
      if (value < low || value > high) continue;
      ticks.push_back(
          {value, value < 1000 ? fmt::format("{:g}", value) : fmt::format("{:g}k", value / 1000)});
    }
  }
  return ticks;
}

}  // namespace dsf
