#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf::cpu {

static int32_t sample_row(const float* logits, int64_t count, const SampleSettings& settings,
                          float u) {
  thread_local std::vector<int32_t> order;  // grown to the vocabulary once
  order.resize(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const auto kept = static_cast<std::ptrdiff_t>(std::min(settings.top_n, count));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  });
  const double largest = logits[order[0]];
  const auto weight = [&](std::ptrdiff_t place) {
    const double distance = logits[order[static_cast<size_t>(place)]] - largest;
    const double value = std::exp(distance / static_cast<double>(settings.temperature));
    return value < static_cast<double>(settings.min_p) ? 0 : value;
  };
  double total = 0;
  for (std::ptrdiff_t place = 0; place < kept; ++place) total += weight(place);
  const double threshold = static_cast<double>(u) * total;
  std::ptrdiff_t place = 0;  // u is 2⁻²⁴ below 1 at least: in the end the sum is above u·total
  for (double sum = weight(place); sum <= threshold; sum += weight(place)) ++place;
  return order[static_cast<size_t>(place)];
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
