#include "kernels/layernorm/residual_layernorm.h"

#include <cmath>

#include "kernels/residual/residual.h"
#include "tests/op_cases.h"
#include "tests/op_cases/dropout_factor.h"
#include "tests/op_cases/layernorm_reference.h"

namespace dsf::testing {
namespace {

/// What else a case is about.
struct Variant {
  bool affine = false;
  bool past = true;       // something reaches `sum` past the norm; else skip's gradient, which is
                          // sum's, is not looked at either: for the benches
  std::string over = "";  // the input that sum is written over
};

void add_case(CaseList& cases, int64_t rows, int64_t cols, const DropoutStream& dropout,
              const Variant& variant) {
  const bool affine = variant.affine, past = variant.past;
  const std::string over = variant.over;
  const Shape shape{rows, cols};
  OpCase op_case;
  op_case.name = fmt::format("residual_layernorm/{}{}{}/rate{}/{}x{}", affine ? "affine" : "plain",
                             past ? "" : "_alone", over.empty() ? "" : "_over_" + over,
                             dropout.rate, rows, cols);
  op_case.inputs = {{"branch", shape}, {"skip", shape, Slot::Fill::normal, 1.5, 0.7, past}};
  if (affine) {
    op_case.inputs.push_back({"weight", {cols}, Slot::Fill::normal, 0.5, 1.0});
    op_case.inputs.push_back({"bias", {cols}});
  }
  op_case.outputs = {{"y", shape}};
  op_case.saved = {{"mean", {rows}}, {"rstd", {rows}}, {"d sum now", shape}};
  if (past) {
    op_case.outputs.push_back({.name = "sum", .shape = shape, .starts_as = over});
  } else {
    op_case.saved.push_back({"sum", shape});
  }
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    residual_layernorm_forward(ctx, t["y"], t["sum"], t["mean"], t["rstd"],
                               t[over == "branch" ? "sum" : "branch"],
                               t[over == "skip" ? "sum" : "skip"], dropout,
                               affine ? t["weight"] : Tensor{}, affine ? t["bias"] : Tensor{});
  };
  op_case.backward = [=](const Context& ctx, OpTensors& t) {
    const Tensor dsum = t["d sum now"];
    if (past) copy(ctx, dsum, t.grad("sum"));
    residual_layernorm_backward(ctx, past ? accumulate(dsum) : overwrite(dsum),
                                t.gradient("branch"), affine ? t.gradient("weight") : Gradient{},
                                affine ? t.gradient("bias") : Gradient{}, t.grad("y"), t["sum"],
                                t["mean"], t["rstd"], affine ? t["weight"] : Tensor{}, dropout);
    if (past) residual_backward(ctx, Gradient{}, t.gradient("skip"), dsum, DropoutStream{});
  };
  op_case.reference = [=](OpDoubles& t) {
    std::vector<double> sum = t["skip"];
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += t["branch"][i] * dropout_factor(dropout, i);
    const std::vector<double> none;
    layernorm_reference(t["y"], sum, rows, cols, affine ? t["weight"] : none,
                        affine ? t["bias"] : none);
    if (past) t["sum"] = sum;
  };
  op_case.forward_tolerance = {7e-7, "as the norm's, and the roundings of what it is given"};
  op_case.backward_tolerance = {
      2e-6 + 6e-8 * std::sqrt(static_cast<double>(rows)),
      "as the norm's: d sum subtracts two means of g; dweight and dbias are sums over the rows"};
  const auto size = static_cast<double>(rows * cols);
  op_case.forward_work = {16 * size, 10 * size};
  op_case.backward_work = {(affine ? 24 : 16) * size, 15 * size};
  op_case.bench_only = rows > 1000;
  cases.push_back(op_case);
}

}  // namespace

void add_residual_layernorm_cases(CaseList& cases) {
  const DropoutStream none;
  const DropoutStream some{0.2F, {0x123456789ABCDEF0, 1003, 17}};
  for (const DropoutStream& dropout : {none, some}) {
    for (const bool affine : {true, false}) {
      add_case(cases, 1, 63, dropout, {affine});
      add_case(cases, 17, 12, dropout, {affine});
      add_case(cases, 431, 24, dropout, {affine});
    }
    add_case(cases, 33, 504, dropout, {true, false});
    add_case(cases, 9, 130, dropout, {false, false});
  }
  add_case(cases, 5, 3100, some, {true});  // more columns than a block's rows may have on a GPU
  add_case(cases, 17, 12, some, {true, true, "branch"});
  add_case(cases, 17, 9, some, {false, true, "skip"});
  add_case(cases, 3440, 504, some, {true, false});
  add_case(cases, 3440, 512, some, {false, false});
}

}  // namespace dsf::testing
