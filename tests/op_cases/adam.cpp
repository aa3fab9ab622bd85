#include "kernels/adam/adam.h"

#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

// Adam works in place: the outputs start as the inputs.
void add_case(CaseList& cases, const std::string& variant, int64_t size, int64_t step,
              const AdamSettings& settings) {
  OpCase op_case;
  op_case.name = fmt::format("adam/{}{}/step{}", variant, size, step);
  op_case.inputs = {{"w", {size}},
                    {"m", {size}, Slot::Fill::normal, 0.1},
                    {"v", {size}, Slot::Fill::uniform, 0.01, 0.011},
                    {"g", {size}, Slot::Fill::normal, 0.1},
                    {"norm", {1}, Slot::Fill::uniform, 1, 27},
                    {"guard", {1}, Slot::Fill::uniform, 0, 1}};
  for (const char* name : {"w", "m", "v"}) {
    op_case.outputs.push_back({std::string("new ") + name, {size}});
    op_case.outputs.back().starts_as = name;
  }
  op_case.forward = [=](const Context& ctx, OpTensors& t) {
    adam_step(ctx, t["new w"], t["new m"], t["new v"], t["g"], t["norm"], t["guard"], settings,
              step);
  };
  op_case.reference = [=](OpDoubles& t) {
    const double beta1 = 0.9, beta2 = 0.999;  // PyTorch's
    const double rate = settings.learning_rate, weight_decay = settings.weight_decay;
    for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
      const double scale =
          settings.clip_norm
              ? std::min(1.0, static_cast<double>(*settings.clip_norm) / (t["norm"][0] + 1e-6))
              : 1.0;
      const double g = scale * t["g"][i];
      const double m = beta1 * t["m"][i] + (1 - beta1) * g;
      const double v = beta2 * t["v"][i] + (1 - beta2) * g * g;
      const auto count = static_cast<double>(step);
      const double unbiased_m = m / (1 - std::pow(beta1, count));
      const double unbiased_v = v / (1 - std::pow(beta2, count));
      t["new w"][i] = t["w"][i] - rate * weight_decay * t["w"][i] -
                      rate * unbiased_m / (std::sqrt(unbiased_v) + settings.epsilon);
      t["new m"][i] = m;
      t["new v"][i] = v;
    }
  };
  op_case.forward_tolerance = {2e-7, "at most three roundings of 2^-24 that matter in each"};
  const auto elements = static_cast<double>(size);
  op_case.forward_work = {28 * elements, 14 * elements};
  op_case.bench_only = size > 1'000'000;
  cases.push_back(op_case);
}

}  // namespace

void add_adam_cases(CaseList& cases) {
  const AdamSettings plain{5e-4F};
  AdamSettings decaying = plain, clipped = plain;
  decaying.weight_decay = 0.3F;
  decaying.learning_rate = 0.05F;  // so that a step takes 1.5 % of a weight
  clipped.clip_norm = 1.0F;
  add_case(cases, "", 1, 1, plain);
  add_case(cases, "", 1003, 1, plain);
  add_case(cases, "", 20000, 777, plain);
  add_case(cases, "", 16'000'000, 10, plain);
  add_case(cases, "decay/", 1003, 1, decaying);
  add_case(cases, "decay/", 20000, 777, decaying);
  add_case(cases, "clipped/", 1003, 3, clipped);
  decaying.clip_norm = 13.0F;
  add_case(cases, "decay_clipped/", 20000, 2, decaying);
  clipped.clip_norm = 1000.0F;
  add_case(cases, "too_short_to_clip/", 1003, 3, clipped);
}

}  // namespace dsf::testing
