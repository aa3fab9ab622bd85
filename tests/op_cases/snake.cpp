#include "kernels/snake/snake.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

void add_case(CaseList& cases, const Shape& shape, double alpha_mean, bool in_place) {
  OpCase op_case;
  op_case.name =
      fmt::format("snake/{}/{}/alpha{}", in_place ? "in_place" : "apart", shape.str(), alpha_mean);
  // α spreads by less than its mean, so that 1/α stays within a few units and sin²'s absolute
  // error within the tolerance; α of either sign and of up to 75.
  op_case.inputs = {
      {"x", shape, Slot::Fill::normal, 2.0},
      {"alpha", {shape[-1]}, Slot::Fill::uniform, std::abs(alpha_mean) / 2, alpha_mean}};
  op_case.outputs = {{.name = "y", .shape = shape, .starts_as = in_place ? "x" : ""}};
  op_case.forward = [in_place](const Context& ctx, OpTensors& t) {
    snake_forward(ctx, t["y"], in_place ? t["y"] : t["x"], t["alpha"]);
  };
  op_case.reference = [](OpDoubles& t) {
    for (size_t i = 0; i < t["x"].size(); ++i) {
      const double x = t["x"][i], alpha = t["alpha"][i % t["alpha"].size()];
      const double sine = std::sin(alpha * x);
      t["y"][i] = x + sine * sine / (alpha + 1e-9);
    }
  };
  // The product α·x rounds by |α·x|·2^-24 radians, which sin² takes on and 1/α scales back to
  // |x|·2^-24; sin² itself is 3e-7 off at most, over α ≥ 1/2 and outputs of about 2.
  op_case.forward_tolerance = {5e-7, "roundings of 2^-24 in α·x and y, 3e-7 in sin²"};
  const auto size = static_cast<double>(shape.size());
  op_case.forward_work = {8 * size, 20 * size};
  op_case.bench_only = shape.size() > 1'000'000;
  cases.push_back(op_case);
}

}  // namespace

void add_snake_cases(CaseList& cases) {
  for (const bool in_place : {false, true}) {
    add_case(cases, {1, 1}, 1, in_place);
    add_case(cases, {2, 17, 63}, 1, in_place);
    add_case(cases, {7, 40}, 1, in_place);
    add_case(cases, {431, 2}, -1, in_place);
    add_case(cases, {5, 1030}, 50, in_place);  // several tiles of channels
  }
  add_case(cases, {1, 44544, 96}, 1, true);
  add_case(cases, {1, 696, 768}, 1, true);
}

}  // namespace dsf::testing
