#include "kernels/rope/rope.h"

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t batch, length, embed, heads;
};

void reference(OpDoubles& t, const Size& size) {
  const int64_t head_size = size.embed / size.heads, planes = head_size / 2;
  for (int64_t position = 0; position < size.batch * size.length; ++position) {
    for (int64_t head = 0; head < size.heads; ++head) {
      const auto at = static_cast<size_t>(position * size.embed + head * head_size);
      for (int64_t i = 0; i < planes; ++i) {
        const auto a = at + static_cast<size_t>(i), b = a + static_cast<size_t>(planes);
        const auto entry = static_cast<size_t>(position % size.length * planes + i);
        t["y"][a] = t["x"][a] * t["first"][entry] - t["x"][b] * t["second"][entry];
        t["y"][b] = t["x"][a] * t["second"][entry] + t["x"][b] * t["first"][entry];
      }
      if (head_size % 2 != 0) {
        const size_t last = at + static_cast<size_t>(head_size) - 1;
        t["y"][last] = t["x"][last];
      }
    }
  }
}

void add_case(CaseList& cases, const Size& size, bool in_place = false) {
  OpCase op_case;
  const Shape shape{size.batch, size.length, size.embed};
  const Shape table{size.length, size.embed / size.heads / 2};
  op_case.name =
      fmt::format("rope/{}{}/{}heads", in_place ? "in_place/" : "", shape.str(), size.heads);
  op_case.inputs = {{"x", shape},
                    {"first", table, Slot::Fill::uniform, 1.0, 0.0, false},
                    {"second", table, Slot::Fill::uniform, 1.0, 0.0, false}};
  op_case.outputs = {{.name = "y", .shape = shape, .starts_as = in_place ? "x" : ""}};
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    rope_forward(ctx, t["y"], in_place ? t["y"] : t["x"], size.heads, t["first"], t["second"]);
  };
  op_case.backward = [size](const Context& ctx, OpTensors& t) {
    rope_backward(ctx, t.gradient("x"), t.grad("y"), size.heads, t["first"], t["second"]);
  };
  op_case.reference = [size](OpDoubles& t) { reference(t, size); };
  op_case.forward_tolerance = {3e-7, "two products and a sum, 2^-24 each"};
  op_case.backward_tolerance = {3e-7, "two products and a sum, 2^-24 each"};
  const auto elements = static_cast<double>(shape.size());
  op_case.forward_work = {8 * elements, 3 * elements};
  op_case.backward_work = {8 * elements, 3 * elements};
  op_case.bench_only = elements > 1e6;
  cases.push_back(op_case);
}

}  // namespace

void add_rope_cases(CaseList& cases) {
  add_case(cases, {1, 1, 63, 1});    // an odd head
  add_case(cases, {2, 17, 126, 2});  // head size 63
  add_case(cases, {1, 431, 24, 2});  // head size 12
  add_case(cases, {2, 5, 20, 1});    // over the whole embedding
  for (const bool in_place : {false, true}) add_case(cases, {2, 5, 48, 3}, in_place);
  add_case(cases, {1, 3, 10, 2}, true);
  add_case(cases, {8, 430, 504, 1});
  add_case(cases, {8, 431, 512, 8});
}

}  // namespace dsf::testing
