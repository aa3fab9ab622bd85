#include "kernels/layernorm/layernorm.h"

#include <cmath>

#include "tests/op_cases.h"
#include "tests/op_cases/layernorm_reference.h"

namespace dsf::testing {
namespace {

void add_case(CaseList& cases, int64_t rows, int64_t cols, bool affine) {
  OpCase op_case;
  op_case.name = fmt::format("layernorm/{}/{}x{}", affine ? "affine" : "plain", rows, cols);
  op_case.inputs = {{"x", {rows, cols}, Slot::Fill::normal, 1.5, 0.7}};
  if (affine) {
    op_case.inputs.push_back({"weight", {cols}, Slot::Fill::normal, 0.5, 1.0});
    op_case.inputs.push_back({"bias", {cols}});
  }
  op_case.outputs = {{"y", {rows, cols}}};
  op_case.saved = {{"mean", {rows}}, {"rstd", {rows}}};
  op_case.forward = [affine](const Context& ctx, OpTensors& t) {
    layernorm_forward(ctx, t["y"], t["mean"], t["rstd"], t["x"], affine ? t["weight"] : Tensor{},
                      affine ? t["bias"] : Tensor{});
  };
  op_case.backward = [affine](const Context& ctx, OpTensors& t) {
    layernorm_backward(ctx, t.gradient("x"), affine ? t.gradient("weight") : Gradient{},
                       affine ? t.gradient("bias") : Gradient{}, t.grad("y"), t["x"], t["mean"],
                       t["rstd"], affine ? t["weight"] : Tensor{});
  };
  op_case.reference = [=](OpDoubles& t) {
    const std::vector<double> none;
    layernorm_reference(t["y"], t["x"], rows, cols, affine ? t["weight"] : none,
                        affine ? t["bias"] : none);
  };
  op_case.forward_tolerance = {5e-7, "mean, variance and root each round a few times at 2^-24"};
  op_case.backward_tolerance = {
      2e-6 + 6e-8 * std::sqrt(static_cast<double>(rows)),
      "dx subtracts two means of g; dweight and dbias are sums over the rows"};
  const auto size = static_cast<double>(rows * cols);
  op_case.forward_work = {8 * size, 8 * size};
  op_case.backward_work = {(affine ? 20 : 12) * size, 14 * size};
  op_case.bench_only = rows > 1000;
  cases.push_back(op_case);
}

}  // namespace

void add_layernorm_cases(CaseList& cases) {
  for (const bool affine : {true, false}) {
    for (const auto& [rows, cols] :
         {std::pair<int64_t, int64_t>{1, 63}, {17, 12}, {431, 24}, {33, 504}, {3440, 504}}) {
      add_case(cases, rows, cols, affine);
    }
  }
}

}  // namespace dsf::testing
