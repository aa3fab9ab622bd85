#include "kernels/adaln/adaln.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

AdalnRows rows_of(const OpTensors& t) {
  return {t["mu"], t["log_sigma"], t["gamma"], t["beta"]};
}

void reference(OpDoubles& t, int64_t rows, int64_t cols, int64_t conditions) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < cols; ++i) {
      const auto row = static_cast<size_t>(r / (rows / conditions) * cols + i);
      const auto at = static_cast<size_t>(r * cols + i);
      const double deviation = std::exp(t["log_sigma"][row]) + 1e-6;
      t["y"][at] = t["gamma"][row] * (t["x"][at] - t["mu"][row]) / deviation + t["beta"][row];
    }
  }
}

/// `log_sigma` is the mean of log σ: at −14 σ is as small as ε. gamma is small too: y must not be
/// so large that differences drown in its rounding.
void add_case(CaseList& cases, int64_t rows, int64_t cols, int64_t conditions, double log_sigma,
              bool in_place = false) {
  OpCase op_case;
  op_case.name = fmt::format("adaln/{}{}x{}/{}rows/log_sigma{:g}", in_place ? "in_place/" : "",
                             rows, cols, conditions, log_sigma);
  const Shape condition{conditions, cols};
  op_case.inputs = {{"x", {rows, cols}},
                    {"mu", condition},
                    {"log_sigma", condition, Slot::Fill::normal, 0.5, log_sigma},
                    {"gamma", condition, Slot::Fill::normal, std::exp(log_sigma / 2)},
                    {"beta", condition}};
  op_case.outputs = {{.name = "y", .shape = {rows, cols}, .starts_as = in_place ? "x" : ""}};
  op_case.saved = {{"scale", condition}};
  op_case.forward = [in_place](const Context& ctx, OpTensors& t) {
    adaln_forward(ctx, t["y"], t["scale"], in_place ? t["y"] : t["x"], rows_of(t));
  };
  op_case.backward = [](const Context& ctx, OpTensors& t) {
    const AdalnGradients gradients{t.gradient("mu"), t.gradient("log_sigma"), t.gradient("gamma"),
                                   t.gradient("beta")};
    adaln_backward(ctx, t.gradient("x"), gradients, t.grad("y"), t["x"], t["scale"], rows_of(t));
  };
  op_case.reference = [=](OpDoubles& t) { reference(t, rows, cols, conditions); };
  op_case.forward_tolerance = {5e-7, "exp is right to 2e-7; five more roundings of 2^-24"};
  op_case.backward_tolerance = {
      7e-7 + 6e-8 * std::sqrt(static_cast<double>(rows / conditions)),
      "as forward, three roundings more; sums over the rows of a condition round √rows times"};
  const auto size = static_cast<double>(rows * cols);
  op_case.forward_work = {8 * size, 3 * size};
  op_case.backward_work = {16 * size, 5 * size};
  op_case.bench_only = rows > 1000;
  cases.push_back(op_case);
}

}  // namespace

void add_adaln_cases(CaseList& cases) {
  add_case(cases, 1, 63, 1, 0);
  add_case(cases, 34, 20, 2, 0);
  add_case(cases, 17, 130, 17, -14);
  add_case(cases, 69, 9, 23, 0, true);
  add_case(cases, 34, 20, 2, 0, true);
  add_case(cases, 431, 12, 1, 0);
  add_case(cases, 3440, 504, 8, 0);
}

}  // namespace dsf::testing
