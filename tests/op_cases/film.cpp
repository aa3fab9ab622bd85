#include "kernels/film/film.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

void add_case(CaseList& cases, int64_t rows, int64_t cols, int64_t factors) {
  OpCase op_case;
  op_case.name = fmt::format("film/{}x{}/{}rows", rows, cols, factors);
  op_case.inputs = {{"x", {rows, cols}}, {"gamma", {factors, cols}}, {"beta", {factors, cols}}};
  op_case.outputs = {{"y", {rows, cols}}};
  op_case.forward = [](const Context& ctx, OpTensors& t) {
    film_forward(ctx, t["y"], t["x"], t["gamma"], t["beta"]);
  };
  op_case.backward = [](const Context& ctx, OpTensors& t) {
    film_backward(ctx, t.gradient("x"), t.gradient("gamma"), t.gradient("beta"), t.grad("y"),
                  t["x"], t["gamma"]);
  };
  op_case.reference = [=](OpDoubles& t) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < cols; ++i) {
        const auto factor = static_cast<size_t>(r / (rows / factors) * cols + i);
        const auto at = static_cast<size_t>(r * cols + i);
        t["y"][at] = t["gamma"][factor] * t["x"][at] + t["beta"][factor];
      }
    }
  };
  op_case.forward_tolerance = {2e-7, "one product and one sum, 2^-24 each"};
  op_case.backward_tolerance = {5e-7 + 6e-8 * std::sqrt(static_cast<double>(rows / factors)),
                                "one product; sums over the rows of a factor round √rows times"};
  const auto size = static_cast<double>(rows * cols);
  op_case.forward_work = {8 * size, 2 * size};
  op_case.backward_work = {16 * size, 4 * size};
  op_case.bench_only = rows > 1000;
  cases.push_back(op_case);
}

}  // namespace

void add_film_cases(CaseList& cases) {
  add_case(cases, 1, 63, 1);
  add_case(cases, 34, 20, 2);
  add_case(cases, 17, 130, 17);
  add_case(cases, 69, 9, 23);
  add_case(cases, 130, 12, 130);
  add_case(cases, 431, 12, 1);
  add_case(cases, 3448, 512, 8);
}

}  // namespace dsf::testing
