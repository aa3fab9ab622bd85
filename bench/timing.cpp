#include "bench/timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "bench/limits.h"

namespace dsf::bench {

void time_work(const std::string& name, int warmup, const Needs& needs,
               const std::function<void()>& work, double units) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < warmup; ++i) work();
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < 5 || (total < 5 && seconds.size() < 2000)) {
    const auto begin = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    total += seconds.back();
  }
  std::ranges::sort(seconds);
  static const Limits limits = measure_limits();
  const double bound = bound_seconds(limits, needs.flops, needs.bytes);
  fmt::print("{} {:.6f} {:.6f} {:.0f}%\n", name, seconds[seconds.size() / 2] / units,
             seconds.front() / units, 100 * bound / seconds.front());
}

bool Filter::wants(const std::string& name) {
  const bool match = name.find(part_) != std::string::npos;
  wanted_ += match;
  return match;
}

int Filter::exit_code(std::string_view program) const {
  if (wanted_ > 0) return 0;
  fmt::print(stderr, "{}: no work's name contains '{}'\n", program, part_);
  return 2;
}

}  // namespace dsf::bench
