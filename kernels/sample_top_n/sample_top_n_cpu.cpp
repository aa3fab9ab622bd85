#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf::cpu {

/// A number that is larger the earlier a logit comes in falling order, of equal ones the lower
/// index first.
static uint64_t precedence(float logit, int64_t index) {
  const auto bits = std::bit_cast<uint32_t>(logit + 0.0F);  // −0 is 0
  const uint32_t rising = bits >> 31 ? ~bits : bits | 0x80000000U;
  return uint64_t{rising} << 32 | static_cast<uint32_t>(~index);
}

static int64_t index_of(uint64_t precedence) {
  return static_cast<uint32_t>(~precedence);
}

static int32_t sample_row(const float* logits, int64_t count, const SampleSettings& settings,
                          float u) {
  thread_local std::vector<uint64_t> order;  // grown to the vocabulary once
  thread_local std::vector<double> weights;
  order.resize(static_cast<size_t>(count));
  for (int64_t v = 0; v < count; ++v) order[static_cast<size_t>(v)] = precedence(logits[v], v);
  const auto kept = order.begin() + std::min(settings.top_n, count);
  std::ranges::nth_element(order, kept, std::greater{});
  std::ranges::sort(order.begin(), kept, std::greater{});
  weights.clear();
  const double largest = logits[index_of(order.front())];
  double total = 0;
  for (auto place = order.begin(); place != kept; ++place) {
    const double distance = logits[index_of(*place)] - largest;
    const double value = std::exp(distance / static_cast<double>(settings.temperature));
    weights.push_back(value < static_cast<double>(settings.min_p) ? 0 : value);
    total += weights.back();
  }
  const double threshold = static_cast<double>(u) * total;
  size_t place = 0;  // u is 2⁻²⁴ below 1 at least: in the end the sum is above u·total
  for (double sum = weights[place]; sum <= threshold; sum += weights[place]) ++place;
  return static_cast<int32_t>(index_of(order[place]));
}

void sample_top_n(const Context&, IndexTensor tokens, ConstTensor logits,
                  const SampleSettings& settings, const SampleStreams& streams) {
  const int64_t rows_per_stream = logits.rows() / streams.seeds.rows();
  for (int64_t r = 0; r < logits.rows(); ++r) {
    const float* row = logits.row(r);
    for (int64_t v = 0; v < logits.cols(); ++v) {
      DSF_CHECK(std::isfinite(row[v]), "logit {} in row {}, column {}", row[v], r, v);
    }
    const RandomStream stream{seed_at(streams.seeds.data, r / rows_per_stream), streams.purpose,
                              static_cast<uint32_t>(streams.step.value)};
    const float u = to_unit(random_words(stream, static_cast<uint64_t>(r % rows_per_stream))[0]);
    tokens[r] = sample_row(row, logits.cols(), settings, u);
  }
}

}  // namespace dsf::cpu
