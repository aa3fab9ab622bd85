#pragma once
// How a model's codes are drawn, where somebody says so.
#include <optional>
#include <string>

#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf {

/// As far as it is said; the rest is as the model says.
struct SamplingChoice {
  std::optional<int64_t> top_n;
  std::optional<float> temperature, min_p;

  SampleSettings over(const SampleSettings& model) const {
    return {top_n.value_or(model.top_n), temperature.value_or(model.temperature),
            min_p.value_or(model.min_p)};
  }
};

/// A UsageError that names the option by which codes cannot be drawn.
void check_sampling(const SampleSettings& sampling);

/// As in "from all 1024 at temperature 1" or "from the 100 likeliest at temperature 0.9, none below
/// 0.05 of the likeliest" of a vocabulary of that many codes.
std::string describe(const SampleSettings& sampling, int64_t vocabulary);

}  // namespace dsf
