// Residual connections, and dropout alone.
#include "kernels/residual/residual.h"

#include "kernels/dropout/dropout.h"
#include "tests/op_cases.h"
#include "tests/op_cases/dropout_factor.h"

namespace dsf::testing {
namespace {

OpCase make_case(const std::string& name, const Shape& shape, const DropoutStream& dropout) {
  OpCase op_case;
  op_case.name = fmt::format("{}/rate{}/{}", name, dropout.rate, shape.str());
  op_case.inputs = {{"branch", shape}};
  op_case.outputs = {{"y", shape}};
  op_case.forward_tolerance = {2e-7, "one product and one sum, 2^-24 each"};
  op_case.backward_tolerance = {2e-7, "one product"};
  const auto size = static_cast<double>(shape.size());
  op_case.forward_work = {8 * size, size};
  op_case.backward_work = {8 * size, size};
  op_case.bench_only = size > 1e6;
  return op_case;
}

void add_dropout(CaseList& cases, const Shape& shape, const DropoutStream& dropout) {
  OpCase op_case = make_case("dropout", shape, dropout);
  op_case.forward = [dropout](const Context& ctx, OpTensors& t) {
    dropout_forward(ctx, t["y"], t["branch"], dropout);
  };
  op_case.backward = [dropout](const Context& ctx, OpTensors& t) {
    dropout_backward(ctx, t.gradient("branch"), t.grad("y"), dropout);
  };
  op_case.reference = [dropout](OpDoubles& t) {
    for (size_t i = 0; i < t["y"].size(); ++i)
      t["y"][i] = t["branch"][i] * dropout_factor(dropout, i);
  };
  cases.push_back(op_case);
}

void add_residual(CaseList& cases, const Shape& shape, const DropoutStream& dropout) {
  OpCase op_case = make_case("residual", shape, dropout);
  op_case.inputs.push_back({"skip", shape});
  op_case.forward = [dropout](const Context& ctx, OpTensors& t) {
    residual_forward(ctx, t["y"], t["branch"], t["skip"], dropout);
  };
  op_case.backward = [dropout](const Context& ctx, OpTensors& t) {
    residual_backward(ctx, t.gradient("branch"), t.gradient("skip"), t.grad("y"), dropout);
  };
  op_case.reference = [dropout](OpDoubles& t) {
    for (size_t i = 0; i < t["y"].size(); ++i) {
      t["y"][i] = t["branch"][i] * dropout_factor(dropout, i) + t["skip"][i];
    }
  };
  op_case.forward_work.bytes *= 1.5;
  op_case.backward_work.bytes *= 2;
  cases.push_back(op_case);
}

}  // namespace

void add_residual_cases(CaseList& cases) {
  const DropoutStream none;
  const DropoutStream some{0.2F, {0x123456789ABCDEF0, 1003, 17}};
  for (const DropoutStream& dropout : {none, some}) {
    add_dropout(cases, {1}, dropout);
    add_dropout(cases, {431, 63}, dropout);
    add_residual(cases, {17, 12}, dropout);
    add_residual(cases, {2, 431, 24}, dropout);
  }
  add_dropout(cases, {3440, 504}, some);
  add_residual(cases, {3440, 504}, some);
}

}  // namespace dsf::testing
