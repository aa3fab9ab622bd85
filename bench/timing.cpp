#include "bench/timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "bench/limits.h"
#include "kernels/common/profile.h"

namespace dsf::bench {
namespace {

/// The machine's limits, measured anew each time: the best of all measurements of this run, as what
/// else the machine does can only lower one. Its bandwidth is that of a buffer of `bytes`, of which
/// caches may hold some, where these are more than a repeated call finds in a core's own.
Limits best_limits(double bytes) {
  static Limits best;
  static std::map<int64_t, double> of_size;
  const Limits now = measure_limits();
  best.flops = std::max(best.flops, now.flops);
  best.bytes = std::max(best.bytes, now.bytes);
  best.cached_bytes = std::max(best.cached_bytes, now.cached_bytes);
  if (bytes < 1 << 20) return best;
  double& bandwidth = of_size[static_cast<int64_t>(bytes)];
  bandwidth = std::max(bandwidth, measure_read_bandwidth(static_cast<int64_t>(bytes)));
  Limits limits = best;
  limits.bytes = bandwidth;
  return limits;
}

}  // namespace

void time_work(const std::string& name, int warmup, const Needs& needs,
               const std::function<void()>& work, double units) {
  using Clock = std::chrono::steady_clock;
  best_limits(needs.bytes);
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
  const Limits limits = best_limits(needs.bytes);
  const double bound = bound_seconds(limits, needs.flops, needs.bytes);
  fmt::print("{} {:.6f} {:.6f} {:.0f}%  # of {:.0f} GFLOP/s, {:.1f} GB/s\n", name,
             seconds[seconds.size() / 2] / units, seconds.front() / units,
             100 * bound / seconds.front(), limits.flops / 1e9, limits.bytes / 1e9);
}

void print_profile(const std::function<void()>& work) {
  profile_start();
  work();
  double total = 0;
  const std::vector<ProfileEntry> entries = profile_stop();
  for (const ProfileEntry& entry : entries) total += entry.seconds;
  for (const ProfileEntry& entry : entries) {
    fmt::print("#   {:<26} {:>4} calls {:>10.6f} s {:>5.1f} %\n", entry.name, entry.calls,
               entry.seconds, 100 * entry.seconds / total);
  }
}

Filter::Filter(int argc, char** argv) : part_(argc > 1 ? argv[1] : "") {
  if (!part_.starts_with('-')) return;
  const bool asked = part_ == "--help" || part_ == "-h";
  const std::string name = std::filesystem::path(argv[0]).filename();
  fmt::print(asked ? stdout : stderr,
             "{0} [PART]: only the works whose name contains PART. What {0} does, its options and "
             "what it prints: the head of bench/{0}.cpp\n",
             name);
  std::exit(asked ? 0 : 2);
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
