#include "kernels/linear/linear.h"

#include <algorithm>

#include "tests/op_cases.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t m, i, o;
};

Tolerance backward_tolerance(const Size& size) {
  return sum_tolerance(std::max({size.m, size.i, size.o}));
}

void add_plain(CaseList& cases, const Size& size, bool bias, bool relu = false) {
  const auto [m, i, o] = size;
  OpCase op_case;
  op_case.name =
      fmt::format("linear/{}{}/{}x{}x{}", bias ? "bias" : "no_bias", relu ? "_relu" : "", m, i, o);
  op_case.inputs = {{"x", {m, i}}, {"w", {o, i}}};
  if (bias) op_case.inputs.push_back({"b", {o}});
  op_case.outputs = {{"y", {m, o}}};
  op_case.forward = [bias, relu](const Context& ctx, OpTensors& t) {
    (relu ? linear_relu_forward : linear_forward)(ctx, t["y"], t["x"], t["w"],
                                                  bias ? t["b"] : Tensor{});
  };
  if (relu) op_case.saved = {{"scratch", {m, o}}};
  op_case.backward = [bias, relu](const Context& ctx, OpTensors& t) {
    const Gradient db = bias ? t.gradient("b") : Gradient{};
    if (relu) {
      linear_relu_backward(ctx, t.gradient("x"), t.gradient("w"), db, t.grad("y"), t["y"], t["x"],
                           t["w"], t["scratch"]);
    } else {
      linear_backward(ctx, t.gradient("x"), t.gradient("w"), db, t.grad("y"), t["x"], t["w"]);
    }
  };
  op_case.reference = [size, bias, relu](OpDoubles& t) {
    for (int64_t r = 0; r < size.m; ++r) {
      for (int64_t c = 0; c < size.o; ++c) {
        double sum = bias ? t["b"][static_cast<size_t>(c)] : 0.0;
        for (int64_t k = 0; k < size.i; ++k) {
          sum += t["x"][static_cast<size_t>(r * size.i + k)] *
                 t["w"][static_cast<size_t>(c * size.i + k)];
        }
        t["y"][static_cast<size_t>(r * size.o + c)] = relu ? std::max(sum, 0.0) : sum;
      }
    }
  };
  op_case.forward_tolerance = sum_tolerance(i);
  op_case.backward_tolerance = backward_tolerance(size);
  const double product = static_cast<double>(m * i * o);
  const double bytes = 4.0 * static_cast<double>(m * i + i * o + m * o);
  op_case.forward_work = {bytes, 2 * product};
  op_case.backward_work = {2 * bytes, 4 * product};
  op_case.bench_only = product > 5e6;
  cases.push_back(op_case);
}

void add_concat(CaseList& cases, const Size& size, int64_t rows, int64_t conditions) {
  const auto [m, i, o] = size;
  OpCase op_case;
  op_case.name = fmt::format("linear/concat/{}x({}+{})x{}/{}rows", m, i, conditions, o, rows);
  Slot c{"c", {rows, conditions}};
  c.differentiable = false;
  op_case.inputs = {{"x", {m, i}}, c, {"w", {o, i + conditions}}, {"b", {o}}};
  op_case.outputs = {{"y", {m, o}}};
  op_case.saved = {{"scratch", {rows, o}}};
  op_case.forward = [](const Context& ctx, OpTensors& t) {
    linear_concat_forward(ctx, t["y"], t["x"], t["c"], t["w"], t["b"], t["scratch"]);
  };
  op_case.backward = [](const Context& ctx, OpTensors& t) {
    linear_concat_backward(ctx, t.gradient("x"), t.gradient("w"), t.gradient("b"), t.grad("y"),
                           t["x"], t["c"], t["w"], t["scratch"]);
  };
  op_case.reference = [size, rows, conditions](OpDoubles& t) {
    const int64_t width = size.i + conditions;
    for (int64_t r = 0; r < size.m; ++r) {
      const int64_t condition = r / (size.m / rows);
      for (int64_t out = 0; out < size.o; ++out) {
        double sum = t["b"][static_cast<size_t>(out)];
        for (int64_t k = 0; k < width; ++k) {
          const double value =
              k < size.i ? t["x"][static_cast<size_t>(r * size.i + k)]
                         : t["c"][static_cast<size_t>(condition * conditions + k - size.i)];
          sum += value * t["w"][static_cast<size_t>(out * width + k)];
        }
        t["y"][static_cast<size_t>(r * size.o + out)] = sum;
      }
    }
  };
  op_case.forward_tolerance = sum_tolerance(i + conditions);
  op_case.backward_tolerance = backward_tolerance(size);
  const double product = static_cast<double>(m * (i + conditions) * o);
  const double bytes = 4.0 * static_cast<double>(m * i + (i + conditions) * o + m * o);
  op_case.forward_work = {bytes, 2 * product};
  op_case.backward_work = {2 * bytes, 4 * product};
  op_case.bench_only = product > 5e6;
  cases.push_back(op_case);
}

}  // namespace

void add_linear_cases(CaseList& cases) {
  for (const bool bias : {true, false}) {
    for (const Size& size : {Size{1, 1, 1}, Size{1, 63, 17}, Size{4, 130, 6}, Size{5, 24, 48},
                             Size{8, 128, 70}, Size{8, 1030, 6}, Size{11, 65, 130},
                             Size{16, 24, 12}, Size{17, 63, 12}, Size{431, 24, 24}}) {
      add_plain(cases, size, bias);
    }
  }
  for (const Size& size : {Size{3, 130, 17}, Size{6, 24, 48}}) {
    add_plain(cases, size, true, true);
    add_plain(cases, size, false, true);
  }
  add_plain(cases, {1, 512, 2048}, true);      // one generated frame
  add_plain(cases, {3440, 504, 2016}, true);   // a training step at params.yaml size
  add_plain(cases, {2050, 1001, 1499}, true);  // as large, and rows fit no vectors
  add_concat(cases, {6, 24, 24}, 6, 8);        // conditioning of its own at every position
  add_concat(cases, {40, 24, 20}, 4, 8);
  add_concat(cases, {34, 63, 17}, 2, 3);  // constant over each of two sequences
  add_concat(cases, {1, 63, 20}, 1, 5);   // one frame
  add_concat(cases, {3440, 504, 504}, 8, 8);
}

}  // namespace dsf::testing
