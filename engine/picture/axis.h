#pragma once
// One direction of a plot: what its ends stand for, and where its ticks are.
#include <string>
#include <vector>

namespace dsf {

struct Axis {
  struct Tick {
    double value = 0;
    std::string label;
  };
  double low = 0, high = 1;  // the values at its ends; high > low, and low > 0 if logarithmic
  std::string title;
  std::vector<Tick> ticks;
  bool logarithmic = false;

  /// Where `value` lies: 0 at `low`, 1 at `high`.
  double position(double value) const;
};

/// Ticks at multiples of 1, 2 or 5 times a power of ten, at most `most` (≥ 2) of them.
std::vector<Axis::Tick> even_ticks(double low, double high, int most);

/// Ticks at 1, 2 and 5 times every power of ten, labelled as frequencies: "500", "2k".
std::vector<Axis::Tick> frequency_ticks(double low, double high);

}  // namespace dsf
