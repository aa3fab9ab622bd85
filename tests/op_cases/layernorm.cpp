#include "kernels/layernorm/layernorm.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

void reference(OpDoubles& t, int64_t rows, int64_t cols, bool affine) {
  for (int64_t r = 0; r < rows; ++r) {
    const double* x = t["x"].data() + r * cols;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < cols; ++i) mean += x[i] / static_cast<double>(cols);
    for (int64_t i = 0; i < cols; ++i) {
      variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(cols);
    }
    for (int64_t i = 0; i < cols; ++i) {
      const double normed = (x[i] - mean) / std::sqrt(variance + kLayerNormEpsilon);
      const auto column = static_cast<size_t>(i);
      t["y"][static_cast<size_t>(r * cols + i)] =
          affine ? normed * t["weight"][column] + t["bias"][column] : normed;
    }
  }
}

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
  op_case.reference = [=](OpDoubles& t) { reference(t, rows, cols, affine); };
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
