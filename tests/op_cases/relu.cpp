#include "kernels/relu/relu.h"

#include "tests/op_cases.h"

namespace dsf::testing {

void add_relu_cases(CaseList& cases) {
  for (const Shape& shape : {Shape{1, 1}, Shape{17, 63}, Shape{2, 431, 48}, Shape{3440, 2016}}) {
    OpCase op_case;
    op_case.name = fmt::format("relu/{}", shape.str());
    op_case.inputs = {{"x", shape}};
    op_case.outputs = {{"y", shape}};
    op_case.forward = [](const Context& ctx, OpTensors& t) { relu_forward(ctx, t["y"], t["x"]); };
    op_case.backward = [](const Context& ctx, OpTensors& t) {
      relu_backward(ctx, t.gradient("x"), t.grad("y"), t["y"]);
    };
    op_case.reference = [](OpDoubles& t) {
      for (size_t i = 0; i < t["x"].size(); ++i) t["y"][i] = t["x"][i] > 0 ? t["x"][i] : 0.0;
    };
    op_case.forward_tolerance = {0, "no arithmetic: exact"};
    op_case.backward_tolerance = {1e-6, "no arithmetic; the differences round"};
    const auto size = static_cast<double>(shape.size());
    op_case.forward_work = {8 * size, size};
    op_case.backward_work = {12 * size, size};
    op_case.bench_only = shape.size() > 1'000'000;
    cases.push_back(op_case);
  }
}

}  // namespace dsf::testing
