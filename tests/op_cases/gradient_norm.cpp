#include "kernels/gradient_norm/gradient_norm.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {

void add_gradient_norm_cases(CaseList& cases) {
  for (const int64_t size : {1, 63, 65536, 200'001, 16'000'000}) {
    OpCase op_case;
    op_case.name = fmt::format("gradient_norm/{}", size);
    op_case.inputs = {{"g", {size}}};
    op_case.outputs = {{"norm", {1}}};
    op_case.saved = {{"block_sums", {(size + kNormBlock - 1) / kNormBlock}}};
    op_case.forward = [](const Context& ctx, OpTensors& t) {
      gradient_norm(ctx, t["norm"], t["g"], t["block_sums"]);
    };
    op_case.reference = [](OpDoubles& t) {
      double sum = 0;
      for (const double g : t["g"]) sum += g * g;
      t["norm"][0] = std::sqrt(sum);
    };
    op_case.forward_tolerance = {1.3e-7,
                                 "double sums; a block's root and the result round at 2^-24"};
    op_case.forward_work = {4.0 * static_cast<double>(size), 2.0 * static_cast<double>(size)};
    op_case.bench_only = size > 1'000'000;
    cases.push_back(op_case);
  }
}

}  // namespace dsf::testing
