#include "kernels/cross_entropy/cross_entropy.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

void reference(OpDoubles& t, int64_t rows, int64_t classes, int64_t counted) {
  double mean = 0;
  for (int64_t m = 0; m < rows; ++m) {
    t["losses"][static_cast<size_t>(m)] = 0;
    if (t.index("targets")[static_cast<size_t>(m)] == kNoTarget) continue;
    const double* logits = t["logits"].data() + m * classes;
    double sum = 0;
    for (int64_t v = 0; v < classes; ++v) sum += std::exp(logits[v]);
    const auto row = static_cast<size_t>(m);
    t["losses"][row] = std::log(sum) - logits[t.index("targets")[row]];
    mean += t["losses"][row] / static_cast<double>(counted);
  }
  t["loss"][0] = mean;
}

enum class Variant {
  loss,
  fused,    // backward is the fused call, which gives the gradient of the mean loss
  in_place  // the same over the logits, where it may
};

/// Of the targets every `absent`th is none; 0: all are there.
void add_case(CaseList& cases, int64_t rows, int64_t classes, Variant variant, int32_t absent = 0) {
  const bool fused = variant != Variant::loss;
  const int64_t counted = absent > 0 ? rows - rows / absent : rows;
  const char* names[] = {"loss", "fused", "in_place"};
  OpCase op_case;
  op_case.name = fmt::format("cross_entropy/{}/{}{}x{}", names[static_cast<int>(variant)],
                             absent > 0 ? fmt::format("{}of", counted) : "", rows, classes);
  op_case.inputs = {{"logits", {rows, classes}, Slot::Fill::normal, 2.0}};
  op_case.index_inputs = {{"targets", {rows}, static_cast<int32_t>(classes), absent}};
  op_case.outputs = {{"loss", {1}, Slot::Fill::uniform, 0.0, 1.0}};  // d loss is 1
  (fused ? op_case.saved : op_case.outputs).push_back({"losses", {rows}});
  op_case.forward = [counted](const Context& ctx, OpTensors& t) {
    cross_entropy_forward(ctx, t["loss"], t["losses"], t["logits"], t.index("targets"), counted);
  };
  op_case.reference = [=](OpDoubles& t) {
    t.tensors["losses"].resize(static_cast<size_t>(rows));
    reference(t, rows, classes, counted);
  };
  if (fused) {
    op_case.backward = [variant, counted](const Context& ctx, OpTensors& t) {
      const Gradient gradient = t.gradient("logits");
      ConstTensor logits = t["logits"];
      if (variant == Variant::in_place && gradient.mode == GradientMode::overwrite) {
        copy(ctx, gradient.tensor, logits);
        logits = gradient.tensor;
      }
      cross_entropy_forward_backward(ctx, t["loss"], t["losses"], gradient, logits,
                                     t.index("targets"), counted);
    };
  }
  op_case.forward_tolerance = {5e-7, "exp to 2e-7, a sum of V terms, one log"};
  op_case.backward_tolerance = {1e-6, "exp to 2e-7, a sum of V terms, one quotient"};
  const auto size = static_cast<double>(rows * classes);
  op_case.forward_work = {4 * size, 20 * size};
  op_case.backward_work = {8 * size, 40 * size};
  op_case.bench_only = size > 1e6;
  cases.push_back(op_case);
}

}  // namespace

void add_cross_entropy_cases(CaseList& cases) {
  for (const Variant variant : {Variant::loss, Variant::fused, Variant::in_place}) {
    add_case(cases, 1, 1, variant);
    add_case(cases, 17, 37, variant);
    add_case(cases, 68, 1024, variant);
    add_case(cases, 17, 40, variant, 3);
  }
  for (const Variant variant : {Variant::loss, Variant::fused}) {
    add_case(cases, 13760, 1024, variant);
  }
}

}  // namespace dsf::testing
