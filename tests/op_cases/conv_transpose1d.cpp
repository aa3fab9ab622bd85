#include "kernels/conv_transpose1d/conv_transpose1d.h"

#include "tests/op_cases.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t batch, frames, inputs, outputs, kernel;
  ConvTranspose1dSpec spec;
};

std::string size_name(const Size& size) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  return fmt::format("{}x{}x{}->{}/k{}s{}p{}", batch, frames, inputs, outputs, kernel, spec.stride,
                     spec.padding);
}

/// Every input frame adds its share to the output frames under its taps.
void scatter(OpDoubles& t, const Size& size, int64_t length) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  for (int64_t row = 0; row < batch * frames; ++row) {
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t u = row % frames * spec.stride + k - spec.padding;
      if (u < 0 || u >= length) continue;
      for (int64_t i = 0; i < inputs; ++i) {
        const double x = t["x"][static_cast<size_t>(row * inputs + i)];
        for (int64_t o = 0; o < outputs; ++o) {
          t["y"][static_cast<size_t>((row / frames * length + u) * outputs + o)] +=
              x * t["w"][static_cast<size_t>((i * outputs + o) * kernel + k)];
        }
      }
    }
  }
}

Work work(const Size& size, int64_t length) {
  const double taps = static_cast<double>(size.kernel * size.inputs * size.outputs);
  const auto rows = static_cast<double>(size.batch * size.frames);
  const auto moved = rows * static_cast<double>(size.inputs) + taps +
                     static_cast<double>(size.batch * length * size.outputs);
  return {4 * moved, 2 * rows * taps};
}

enum class Variant { bias, no_bias, snake };

void add_case(CaseList& cases, const Size& size, Variant variant) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  const int64_t length = conv_transpose1d_length(frames, kernel, spec);
  const char* names[] = {"bias", "no_bias", "snake"};
  const bool bias = variant != Variant::no_bias, snakes = variant == Variant::snake;
  OpCase op_case;
  op_case.name =
      fmt::format("conv_transpose1d/{}/{}", names[static_cast<int>(variant)], size_name(size));
  op_case.inputs = {
      {"x", {batch, frames, inputs}}, {"w", {inputs, outputs, kernel}}, {"b", {outputs}}};
  op_case.outputs = {{"y", {batch, length, outputs}}};
  if (snakes) {
    op_case.inputs.push_back({.name = "alpha",
                              .shape = {outputs},
                              .fill = Slot::Fill::uniform,
                              .scale = 0.5,
                              .mean = 1});
    op_case.outputs.push_back({"activated", {batch, length, outputs}});
  }
  op_case.saved = {{"prepared", {inputs, kernel, outputs}}};
  op_case.forward = [spec, bias, snakes](const Context& ctx, OpTensors& t) {
    conv_transpose1d_prepare(ctx, t["prepared"], t["w"]);
    if (snakes) {
      conv_transpose1d_snake_forward(ctx, t["y"], t["activated"], t["x"], t["prepared"], t["b"],
                                     t["alpha"], spec);
      return;
    }
    conv_transpose1d_forward(ctx, t["y"], t["x"], t["prepared"], bias ? t["b"] : Tensor{}, spec);
  };
  op_case.reference = [size, length, bias, snakes](OpDoubles& t) {
    for (size_t y = 0; y < t["y"].size(); ++y) {
      t["y"][y] = bias ? t["b"][y % static_cast<size_t>(size.outputs)] : 0.0;
    }
    scatter(t, size, length);
    if (!snakes) return;
    for (size_t y = 0; y < t["y"].size(); ++y) {
      t["activated"][y] = snake(t["y"][y], t["alpha"][y % static_cast<size_t>(size.outputs)]);
    }
  };
  const int64_t overlapping = (kernel + spec.stride - 1) / spec.stride;
  op_case.forward_tolerance = sum_tolerance(overlapping * inputs);
  if (rounds_operands(inputs, outputs)) add_product_roundoffs(op_case);
  if (snakes) add_snake(op_case);
  op_case.forward_work = work(size, length);
  cases.push_back(op_case);
}

/// At a size of the official decoder, with weights prepared as a loaded model has them.
void add_bench(CaseList& cases, const Size& size) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  const int64_t length = conv_transpose1d_length(frames, kernel, spec);
  OpCase op_case;
  op_case.name = fmt::format("conv_transpose1d/official/{}", size_name(size));
  op_case.inputs = {
      {"x", {batch, frames, inputs}}, {"prepared", {inputs, kernel, outputs}}, {"b", {outputs}}};
  op_case.outputs = {{"y", {batch, length, outputs}}};
  op_case.forward = [spec](const Context& ctx, OpTensors& t) {
    conv_transpose1d_forward(ctx, t["y"], t["x"], t["prepared"], t["b"], spec);
  };
  op_case.forward_tolerance = sum_tolerance((kernel + spec.stride - 1) / spec.stride * inputs);
  op_case.forward_work = work(size, length);
  op_case.bench_only = true;
  cases.push_back(op_case);
}

}  // namespace

void add_conv_transpose1d_cases(CaseList& cases) {
  for (const Size& size : {
           Size{1, 1, 1, 1, 1, {1, 0}},
           Size{1, 1, 5, 3, 16, {8, 4}},  // one frame: the cut takes both of its ends
           Size{2, 17, 63, 6, 16, {8, 4}},
           Size{2, 9, 7, 5, 10, {5, 3}},      // odd stride: one frame less than 5·9
           Size{1, 9, 7, 5, 10, {5, 0}},      // nothing cut
           Size{1, 31, 4, 3, 11, {4, 6}},     // a last group of taps that is not full, a long cut
           Size{1, 12, 4, 3, 2, {5, 1}},      // gaps between the taps: bias only
           Size{2, 7, 4, 3, 9, {2, 8}},       // a cut of several whole periods
           Size{1, 1200, 8, 3, 4, {2, 1}},    // several blocks of rows
           Size{1, 1200, 3, 2, 16, {8, 16}},  // … and a long cut
           Size{2, 70, 20, 72, 5, {2, 1}},    // several blocks of rows and of channels
           Size{1, 12, 4, 4, 2, {5, 1}},      // gaps, on tensor cores
           Size{1, 40, 68, 36, 8, {4, 2}},
       }) {
    for (const Variant variant : {Variant::bias, Variant::no_bias, Variant::snake}) {
      add_case(cases, size, variant);
    }
  }
  add_bench(cases, {1, 87, 1536, 768, 16, {8, 4}});
  add_bench(cases, {1, 696, 768, 384, 16, {8, 4}});
  add_bench(cases, {1, 5568, 384, 192, 8, {4, 2}});
  add_bench(cases, {1, 22272, 192, 96, 4, {2, 1}});
}

}  // namespace dsf::testing
