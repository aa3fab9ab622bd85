#include "kernels/conv1d/conv1d.h"

#include <cmath>

#include "tests/op_cases.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t batch, frames, inputs, outputs, kernel;
  Conv1dSpec spec;
};

std::string size_name(const Size& size) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  return fmt::format("{}x{}x{}->{}/k{}s{}d{}p{}{}", batch, frames, inputs, outputs, kernel,
                     spec.stride, spec.dilation, spec.padding, spec.minimal ? "/minimal" : "");
}

double convolved(OpDoubles& t, const Size& size, int64_t n, int64_t u, int64_t o) {
  double sum = 0;
  for (int64_t k = 0; k < size.kernel; ++k) {
    const int64_t frame = u * size.spec.stride + k * size.spec.dilation - size.spec.padding;
    if (frame < 0 || frame >= size.frames) continue;
    for (int64_t i = 0; i < size.inputs; ++i) {
      const int64_t x = (n * size.frames + frame) * size.inputs + i;
      const int64_t w = (o * size.inputs + i) * size.kernel + k;
      sum += t["x"][static_cast<size_t>(x)] * t["w"][static_cast<size_t>(w)];
    }
  }
  return sum;
}

Work work(const Size& size, int64_t length) {
  const double taps = static_cast<double>(size.kernel * size.inputs * size.outputs);
  const auto rows = static_cast<double>(size.batch * length);
  const auto moved = static_cast<double>(size.batch * size.frames * size.inputs) + taps +
                     rows * static_cast<double>(size.outputs);
  return {4 * moved, 2 * rows * taps};
}

/// Of prepared weights.
Shape prepared_shape(const Size& size) {
  return {size.spec.minimal ? kMinimalPoints : size.kernel, size.inputs, size.outputs};
}

enum class Variant { plain, no_bias, add, tanh, snake, add_snake };

void prepare(const Context& ctx, const OpTensors& t, const Conv1dSpec& spec) {
  if (spec.minimal) return conv1d_prepare_minimal(t["prepared"], t["w"]);
  conv1d_prepare(ctx, t["prepared"], t["w"]);
}

/// Weights that keep the sums of normal inputs near 1, where tanh is not flat.
double weight_scale(const Size& size) {
  return 1 / std::sqrt(static_cast<double>(size.kernel * size.inputs));
}

void add_case(CaseList& cases, const Size& size, Variant variant) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  const int64_t length = conv1d_length(frames, kernel, spec);
  const Shape result{batch, length, outputs};
  const char* names[] = {"plain", "no_bias", "add", "tanh", "snake", "add_snake"};
  const bool add = variant == Variant::add || variant == Variant::add_snake;
  const bool snakes = variant == Variant::snake || variant == Variant::add_snake;
  OpCase op_case;
  op_case.name = fmt::format("conv1d/{}/{}", names[static_cast<int>(variant)], size_name(size));
  op_case.inputs = {{"x", {batch, frames, inputs}},
                    {.name = "w", .shape = {outputs, inputs, kernel}, .scale = weight_scale(size)},
                    {"b", {outputs}},
                    {"skip", result}};
  op_case.outputs = {{.name = "y", .shape = result, .starts_as = add ? "skip" : ""}};
  if (snakes) {
    op_case.inputs.push_back({.name = "alpha",
                              .shape = {outputs},
                              .fill = Slot::Fill::uniform,
                              .scale = 0.5,
                              .mean = 1});
  }
  if (variant == Variant::snake) op_case.outputs.clear();
  if (snakes) op_case.outputs.push_back({"activated", result});
  op_case.saved = {{"prepared", prepared_shape(size)}};
  op_case.cpu_only = spec.minimal;
  op_case.forward = [spec, variant](const Context& ctx, OpTensors& t) {
    prepare(ctx, t, spec);
    if (variant == Variant::snake) {
      conv1d_snake_forward(ctx, t["activated"], t["x"], t["prepared"], t["b"], t["alpha"], spec);
    } else if (variant == Variant::add_snake) {
      conv1d_add_snake_forward(ctx, t["y"], t["activated"], t["x"], t["prepared"], t["b"],
                               t["alpha"], spec);
    } else if (variant == Variant::add) {
      conv1d_add_forward(ctx, t["y"], t["x"], t["prepared"], t["b"], spec);
    } else if (variant == Variant::tanh) {
      conv1d_tanh_forward(ctx, t["y"], t["x"], t["prepared"], t["b"], spec);
    } else {
      conv1d_forward(ctx, t["y"], t["x"], t["prepared"],
                     variant == Variant::plain ? t["b"] : Tensor{}, spec);
    }
  };
  op_case.reference = [size, length, variant, add, snakes](OpDoubles& t) {
    for (int64_t row = 0; row < size.batch * length; ++row) {
      for (int64_t o = 0; o < size.outputs; ++o) {
        const auto at = static_cast<size_t>(row * size.outputs + o);
        const auto channel = static_cast<size_t>(o);
        double y = convolved(t, size, row / length, row % length, o);
        if (variant != Variant::no_bias) y += t["b"][channel];
        if (add) y += t["skip"][at];
        if (variant == Variant::tanh) y = std::tanh(y);
        if (variant != Variant::snake) t["y"][at] = y;
        if (snakes) t["activated"][at] = snake(y, t["alpha"][channel]);
      }
    }
  };
  op_case.forward_tolerance = sum_tolerance(kernel * inputs);
  if (!spec.minimal && rounds_operands(inputs, outputs)) add_product_roundoffs(op_case);
  if (snakes) add_snake(op_case);
  op_case.forward_work = work(size, length);
  cases.push_back(op_case);
}

/// At a size of the official decoder, with weights prepared as a loaded model has them.
void add_bench(CaseList& cases, const Size& size) {
  const auto [batch, frames, inputs, outputs, kernel, spec] = size;
  const int64_t length = conv1d_length(frames, kernel, spec);
  OpCase op_case;
  op_case.name = fmt::format("conv1d/official/{}", size_name(size));
  op_case.inputs = {
      {"x", {batch, frames, inputs}}, {"prepared", prepared_shape(size)}, {"b", {outputs}}};
  op_case.outputs = {{"y", {batch, length, outputs}}};
  op_case.forward = [spec](const Context& ctx, OpTensors& t) {
    conv1d_forward(ctx, t["y"], t["x"], t["prepared"], t["b"], spec);
  };
  op_case.forward_tolerance = sum_tolerance(kernel * inputs);
  op_case.forward_work = work(size, length);
  op_case.bench_only = true;
  op_case.cpu_only = spec.minimal;
  cases.push_back(op_case);
}

}  // namespace

void add_conv1d_cases(CaseList& cases) {
  for (const Size& size : {
           Size{1, 1, 1, 1, 1, {}},
           Size{2, 17, 63, 5, 7, {1, 9, 27}},  // the dilated taps reach beyond both ends
           Size{1, 431, 12, 7, 7, {1, 3, 9}},
           Size{2, 60, 3, 6, 7, {1, 9, 0}},     // no padding
           Size{1, 55, 3, 6, 7, {1, 9, 0}},     // one output frame
           Size{1, 43, 4, 9, 10, {5, 1, 3}},    // strided, as in the encoder
           Size{2, 30, 4, 9, 4, {3, 2, 5}},     // padding beyond the kernel's first steps
           Size{1, 1100, 5, 8, 7, {1, 9, 27}},  // several blocks of rows
           Size{1, 1100, 31, 1, 7, {1, 1, 3}},
           Size{2, 41, 32, 1, 7, {1, 3, 9}},  // one channel
           Size{1, 30, 156, 1, 5, {2, 1, 0}},
           Size{2, 70, 20, 72, 7, {1, 9, 27}},
           Size{1, 39, 132, 20, 7, {2, 1, 3}},
           Size{1, 45, 132, 20, 7, {1, 3, 9}},    // several windows of x, each under all taps
           Size{1, 90, 132, 20, 7, {1, 11, 33}},  // taps too far apart for that
           Size{1, 1, 4, 4, 1, {}},
       }) {
    for (const Variant variant : {Variant::plain, Variant::no_bias, Variant::add, Variant::tanh,
                                  Variant::snake, Variant::add_snake}) {
      add_case(cases, size, variant);
    }
  }
  // The tiles of long sequences on tensor cores, the last of each not full.
  add_case(cases, {1, 300, 36, 124, 2, {1, 2, 1}}, Variant::add);
  add_case(cases, {1, 290, 36, 92, 2, {1, 2, 1}}, Variant::add);
  add_case(cases, {1, 180, 36, 60, 3, {1, 1, 1}}, Variant::add);
  constexpr auto minimal = [](int64_t dilation, int64_t padding) {
    return Conv1dSpec{1, dilation, padding, {}, true};
  };
  for (const Size& size : {
           Size{1, 40, 32, 32, 7, minimal(1, 3)},
           Size{2, 61, 12, 40, 7, minimal(3, 9)},     // the last pair has no second frame
           Size{1, 1100, 33, 17, 7, minimal(9, 27)},  // several blocks of rows
           Size{1, 300, 16, 200, 7, minimal(1, 3)},   // and of columns
           Size{1, 60, 8, 6, 7, minimal(9, 0)},       // no padding; fewer frames than a block
           Size{1, 7, 5, 4, 7, minimal(1, 0)},        // one frame
           Size{1, 64, 8, 6, 7, minimal(3, 9)},       // some of the last pairs have no second frame
           Size{1, 30, 8, 6, 7, minimal(9, 27)},
       }) {
    for (const Variant variant :
         {Variant::plain, Variant::no_bias, Variant::add, Variant::snake, Variant::add_snake}) {
      add_case(cases, size, variant);
    }
  }
  add_bench(cases, {1, 87, 1024, 1536, 7, {1, 1, 3}});
  add_bench(cases, {1, 696, 768, 768, 7, {1, 1, 3}});
  add_bench(cases, {1, 5568, 384, 384, 7, {1, 9, 27}});
  add_bench(cases, {1, 22272, 192, 192, 7, {1, 3, 9}});
  add_bench(cases, {1, 44544, 96, 96, 7, {1, 9, 27}});
  add_bench(cases, {1, 696, 768, 768, 7, minimal(1, 3)});
  add_bench(cases, {1, 5568, 384, 384, 7, minimal(9, 27)});
  add_bench(cases, {1, 22272, 192, 192, 7, minimal(3, 9)});
  add_bench(cases, {1, 44544, 96, 96, 7, minimal(9, 27)});
  add_bench(cases, {1, 44544, 96, 96, 1, {}});
  add_bench(cases, {1, 44544, 96, 1, 7, {1, 1, 3}});
}

}  // namespace dsf::testing
