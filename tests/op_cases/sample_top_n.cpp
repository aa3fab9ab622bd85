#include "kernels/sample_top_n/sample_top_n.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

/// By repeated search for the largest that is left: no sorting, unlike the op.
int32_t reference_row(std::vector<double> logits, const SampleSettings& settings, double u) {
  std::vector<std::pair<int32_t, double>> kept;  // index, weight, in falling order
  const double largest = *std::ranges::max_element(logits);
  double total = 0;
  const auto n = std::min<size_t>(static_cast<size_t>(settings.top_n), logits.size());
  while (kept.size() < n) {
    const auto best = std::ranges::max_element(logits);  // the first of equals
    const double weight = std::exp((*best - largest) / static_cast<double>(settings.temperature));
    if (weight < static_cast<double>(settings.min_p)) break;
    kept.emplace_back(static_cast<int32_t>(best - logits.begin()), weight);
    total += weight;
    *best = -1e300;
  }
  double left = u * total;
  for (const auto& [index, weight] : kept) {
    left -= weight;
    if (left < 0) return index;
  }
  return kept.back().first;
}

void add_case(CaseList& cases, int64_t rows, int64_t classes, const SampleSettings& settings,
              int64_t streams = 1) {
  OpCase op_case;
  op_case.name =
      fmt::format("sample_top_n/{}x{}/{}streams/top{}/temperature{}/min_p{}", rows, classes,
                  streams, settings.top_n, settings.temperature, settings.min_p);
  op_case.inputs = {{"logits", {rows, classes}, Slot::Fill::normal, 2.0}};
  op_case.index_outputs = {{"tokens", {rows}, static_cast<int32_t>(classes)}};
  op_case.index_inputs = {{"seeds", {streams, 2}, std::numeric_limits<int32_t>::max()}};
  constexpr uint32_t kPurpose = 3, kStep = 12;
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    sample_top_n(ctx, t.index("tokens"), t["logits"], settings,
                 {t.index("seeds"), kPurpose, kStep});
  };
  op_case.reference = [=](OpDoubles& t) {
    for (int64_t r = 0; r < rows; ++r) {
      const auto begin = t["logits"].begin() + r * classes;
      const int64_t rows_per_stream = rows / streams, of = r / rows_per_stream;
      const auto word = [&](int64_t half) {
        return static_cast<uint64_t>(t.index("seeds")[static_cast<size_t>(2 * of + half)]);
      };
      const RandomStream stream{word(0) | word(1) << 32, kPurpose, kStep};
      const double u = to_unit(random_words(stream, static_cast<uint64_t>(r % rows_per_stream))[0]);
      t.index("tokens")[static_cast<size_t>(r)] =
          reference_row({begin, begin + classes}, settings, u);
    }
  };
  op_case.forward_tolerance = {0, "indices: exact"};
  op_case.forward_work = {4.0 * static_cast<double>(rows * classes), 0};
  cases.push_back(op_case);
}

}  // namespace

void add_sample_top_n_cases(CaseList& cases) {
  add_case(cases, 1, 1, {100, 1.0F});
  add_case(cases, 17, 37, {1, 1.0F});
  add_case(cases, 64, 37, {5, 0.7F}, 16);
  add_case(cases, 64, 19, {1000, 1.5F});
  add_case(cases, 4, 1024, {100, 1.0F});
  add_case(cases, 64, 37, {30, 0.7F, 0.2F});
  add_case(cases, 16, 37, {30, 1.0F, 1.0F});  // the largest, whatever u is
  add_case(cases, 2, 2101, {2060, 1.0F});     // more than are sorted at a time on a GPU
}

}  // namespace dsf::testing
