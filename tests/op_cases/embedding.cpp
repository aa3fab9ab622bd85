#include "kernels/embedding/embedding.h"

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t positions, codebooks, vocabulary, part;
};

void add_case(CaseList& cases, const Size& size) {
  const auto [positions, codebooks, vocabulary, part] = size;
  OpCase op_case;
  op_case.name = fmt::format("embedding/{}x{}of{}/{}", positions, codebooks, vocabulary, part);
  op_case.inputs = {{"tables", {codebooks, vocabulary, part}}};
  op_case.index_inputs = {{"tokens", {positions, codebooks}, static_cast<int32_t>(vocabulary)}};
  op_case.outputs = {{"y", {positions, codebooks * part}}};
  op_case.forward = [](const Context& ctx, OpTensors& t) {
    embedding_forward(ctx, t["y"], t.index("tokens"), t["tables"]);
  };
  op_case.backward = [](const Context& ctx, OpTensors& t) {
    embedding_backward(ctx, t.gradient("tables"), t.grad("y"), t.index("tokens"));
  };
  op_case.reference = [size](OpDoubles& t) {
    for (int64_t m = 0; m < size.positions; ++m) {
      for (int64_t n = 0; n < size.codebooks; ++n) {
        const int64_t token = t.index("tokens")[static_cast<size_t>(m * size.codebooks + n)];
        for (int64_t e = 0; e < size.part; ++e) {
          t["y"][static_cast<size_t>((m * size.codebooks + n) * size.part + e)] =
              t["tables"][static_cast<size_t>((n * size.vocabulary + token) * size.part + e)];
        }
      }
    }
  };
  op_case.forward_tolerance = {0, "copies: exact"};
  op_case.backward_tolerance = {1e-6, "sums of a few gradients per entry, 2^-24 each"};
  const auto moved = static_cast<double>(positions * codebooks * part);
  op_case.forward_work = {8 * moved, 0};
  op_case.backward_work = {4 * (moved + static_cast<double>(codebooks * vocabulary * part)), moved};
  op_case.bench_only = positions > 1000;
  cases.push_back(op_case);
}

}  // namespace

void add_embedding_cases(CaseList& cases) {
  add_case(cases, {1, 1, 1, 1});
  add_case(cases, {17, 4, 19, 5});
  add_case(cases, {431, 2, 37, 63});
  add_case(cases, {300, 2, 5, 136});  // tokens that come often
  add_case(cases, {9, 1, 3, 133});
  add_case(cases, {3440, 4, 1024, 126});
}

}  // namespace dsf::testing
