#include "kernels/residual/residual.h"

#include "tests/op_cases.h"
#include "tests/op_cases/dropout_factor.h"

namespace dsf::testing {
namespace {

/// `over`: the input that y is written over; none where it is empty.
void add_case(CaseList& cases, const Shape& shape, const DropoutStream& dropout,
              const std::string& over = "") {
  OpCase op_case;
  op_case.name = fmt::format("residual/{}rate{}/{}", over.empty() ? "" : "over_" + over + "/",
                             dropout.rate, shape.str());
  op_case.inputs = {{"branch", shape}, {"skip", shape}};
  op_case.outputs = {{.name = "y", .shape = shape, .starts_as = over}};
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    residual_forward(ctx, t["y"], t[over == "branch" ? "y" : "branch"],
                     t[over == "skip" ? "y" : "skip"], dropout);
  };
  op_case.backward = [=](const Context& ctx, OpTensors& t) {
    residual_backward(ctx, t.gradient("branch"), t.gradient("skip"), t.grad("y"), dropout);
  };
  op_case.reference = [=](OpDoubles& t) {
    for (size_t i = 0; i < t["y"].size(); ++i) {
      t["y"][i] = t["branch"][i] * dropout_factor(dropout, i) + t["skip"][i];
    }
  };
  op_case.forward_tolerance = {2e-7, "one product and one sum, 2^-24 each"};
  op_case.backward_tolerance = {2e-7, "one product"};
  const auto size = static_cast<double>(shape.size());
  op_case.forward_work = {12 * size, size};
  op_case.backward_work = {16 * size, size};
  op_case.bench_only = size > 1e6;
  cases.push_back(op_case);
}

}  // namespace

void add_residual_cases(CaseList& cases) {
  const DropoutStream none;
  const DropoutStream some{0.2F, {0x123456789ABCDEF0, 1003, 17}};
  for (const DropoutStream& dropout : {none, some}) {
    add_case(cases, {17, 12}, dropout);
    add_case(cases, {7, 9}, dropout);
    for (const char* over : {"", "branch", "skip"}) add_case(cases, {2, 431, 24}, dropout, over);
  }
  add_case(cases, {3440, 504}, some);
}

}  // namespace dsf::testing
