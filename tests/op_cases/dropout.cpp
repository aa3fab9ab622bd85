#include "kernels/dropout/dropout.h"

#include "tests/op_cases.h"
#include "tests/op_cases/dropout_factor.h"

namespace dsf::testing {
namespace {

void add_case(CaseList& cases, const Shape& shape, const DropoutStream& dropout,
              bool in_place = false) {
  OpCase op_case;
  op_case.name =
      fmt::format("dropout/{}rate{}/{}", in_place ? "in_place/" : "", dropout.rate, shape.str());
  op_case.inputs = {{"x", shape}};
  op_case.outputs = {{.name = "y", .shape = shape, .starts_as = in_place ? "x" : ""}};
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    dropout_forward(ctx, t["y"], in_place ? t["y"] : t["x"], dropout);
  };
  op_case.backward = [=](const Context& ctx, OpTensors& t) {
    dropout_backward(ctx, t.gradient("x"), t.grad("y"), dropout);
  };
  op_case.reference = [=](OpDoubles& t) {
    for (size_t i = 0; i < t["y"].size(); ++i) t["y"][i] = t["x"][i] * dropout_factor(dropout, i);
  };
  op_case.forward_tolerance = {2e-7, "one product and the factor, 2^-24 each"};
  op_case.backward_tolerance = {2e-7, "one product and the factor, 2^-24 each"};
  const auto size = static_cast<double>(shape.size());
  op_case.forward_work = {8 * size, size};
  op_case.backward_work = {8 * size, size};
  op_case.bench_only = size > 1e6;
  cases.push_back(op_case);
}

}  // namespace

void add_dropout_cases(CaseList& cases) {
  const DropoutStream none;
  const DropoutStream some{0.2F, {0x123456789ABCDEF0, 1003, 17}};
  for (const DropoutStream& dropout : {none, some}) {
    add_case(cases, {1}, dropout);
    for (const bool in_place : {false, true}) {
      add_case(cases, {17, 12}, dropout, in_place);
      add_case(cases, {431, 63}, dropout, in_place);
    }
  }
  add_case(cases, {3440, 504}, some);
}

}  // namespace dsf::testing
