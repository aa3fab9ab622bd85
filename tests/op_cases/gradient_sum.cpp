#include "kernels/gradient_sum/gradient_sum.h"

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

void add_case(CaseList& cases, int64_t size, GradientMode mode) {
  const bool adds = mode == GradientMode::accumulate;
  OpCase op_case;
  op_case.name = fmt::format("gradient_sum/{}/{}", adds ? "accumulate" : "overwrite", size);
  op_case.inputs = {{"before", {size}}, {"g", {size}}};
  op_case.outputs = {{.name = "sum", .shape = {size}, .starts_as = adds ? "before" : ""}};
  const float scale = 0.3F;
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    gradient_sum(ctx, {t["sum"], mode}, t["g"], scale);
  };
  op_case.reference = [=](OpDoubles& t) {
    for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
      t["sum"][i] = (adds ? t["before"][i] : 0.0) + static_cast<double>(scale) * t["g"][i];
    }
  };
  op_case.forward_tolerance = {1.3e-7, "a product and a sum, 2^-24 each"};
  const auto elements = static_cast<double>(size);
  op_case.forward_work = {(adds ? 12 : 8) * elements, (adds ? 2 : 1) * elements};
  op_case.bench_only = size > 1'000'000;
  cases.push_back(op_case);
}

}  // namespace

void add_gradient_sum_cases(CaseList& cases) {
  for (const int64_t size : {1, 17, 4096, 100'003, 16'000'000}) {
    add_case(cases, size, GradientMode::overwrite);
    add_case(cases, size, GradientMode::accumulate);
  }
}

}  // namespace dsf::testing
