#include "engine/model/sampling.h"

#include <fmt/format.h>

#include <cmath>

#include "kernels/common/checks.h"

namespace dsf {

void check_sampling(const SampleSettings& sampling) {
  if (sampling.top_n < 1 || sampling.top_n > kMaxTopN) {
    fail_usage("--top-n {}: must be from 1 to {}", sampling.top_n, kMaxTopN);
  }
  if (!(sampling.temperature > 0) || !std::isfinite(sampling.temperature)) {
    fail_usage("--temperature {}: must be above 0", sampling.temperature);
  }
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1)) {
    fail_usage("--min-p {}: must be from 0 to 1", sampling.min_p);
  }
}

std::string describe(const SampleSettings& sampling, int64_t vocabulary) {
  const std::string codes = sampling.top_n < vocabulary
                                ? fmt::format("the {} likeliest", sampling.top_n)
                                : fmt::format("all {}", vocabulary);
  return fmt::format(
      "from {} at temperature {}{}", codes, sampling.temperature,
      sampling.min_p > 0 ? fmt::format(", none below {} of the likeliest", sampling.min_p) : "");
}

}  // namespace dsf
