// Convolutions of the CPU with operands rounded to bf16, beside those in float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "kernels/common/bfloat16.h"
#include "kernels/common/parallel.h"
#include "kernels/common/random.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"
#include "tests/op_checks.h"
#include "tests/sum_tolerance.h"
#include "tests/without_bf16.h"

namespace dsf::testing {
namespace {

const Context kExact{}, kRounding{Device::cpu, nullptr, Precision::bf16};

/// A tensor with its memory.
struct Owned {
  explicit Owned(const Shape& shape)
      : memory(static_cast<size_t>(shape.size())), tensor(memory.data(), shape) {}
  Owned(const Shape& shape, uint64_t seed) : Owned(shape) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      tensor[i] = 2 * to_unit(random_words({seed, 0, 0}, static_cast<uint64_t>(i))[0]) - 1;
    }
  }

  Owned rounded() const {
    Owned result(tensor.shape);
    std::transform(tensor.data, tensor.data + tensor.size(), result.tensor.data,
                   [](float value) { return from_bf16(to_bf16(value)); });
    return result;
  }

  std::vector<float> memory;
  Tensor tensor;
};

/// Prepared weights as convolutions in `ctx` take them.
Owned weights_for(const Context& ctx, const Owned& prepared, bool transposed) {
  const Shape& shape = prepared.tensor.shape;
  Owned result(prepared.tensor.shape);
  if (ctx.precision == Precision::fp32) {
    std::copy_n(prepared.tensor.data, shape.size(), result.tensor.data);
    return result;
  }
  round_convolution_weights(ctx, result.tensor.data, prepared.tensor, transposed);
  return result;
}

/// What a convolution gives of x and prepared weights.
using Forward = std::function<std::vector<double>(const Context&, ConstTensor x, ConstTensor w)>;

// Operands that bf16 holds give what float32 gives, and others are rounded. Snake may double it.
void expect_rounded_products(const Owned& x, const Owned& w, bool transposed, int64_t terms,
                             const Forward& forward) {
  const auto run = [&](const Context& ctx, const Owned& from, const Owned& by) {
    return forward(ctx, from.tensor, weights_for(ctx, by, transposed).tensor);
  };
  const Owned held_x = x.rounded(), held_w = w.rounded();
  const double limit = 2 * sum_tolerance(terms).value + 5e-7;
  expect_within(relative_error(run(kRounding, held_x, held_w), run(kExact, held_x, held_w)),
                {limit, "√terms roundings of 2^-24, twice, and Snake's"}, "of bf16 numbers");
  const std::vector<double> ours = run(kRounding, x, w), exact = run(kExact, x, w);
  expect_within(relative_error(ours, exact), {2 * std::sqrt(2.0) * 0x1p-8 + limit, "two roundings"},
                "of others");
  EXPECT_GT(relative_error(ours, exact), 0x1p-11);
  const ThreadLimit one(1);
  EXPECT_EQ(run(kRounding, x, w), ours) << "by one thread";
}

struct Size {
  int64_t batch, frames, inputs, outputs, kernel, stride, dilation, padding;
};

TEST(ConvolutionBf16OnCpu, Conv1dMultipliesRoundedOperands) {
  if (!onednn::has_bf16()) GTEST_SKIP() << kWithoutBf16;
  for (const Size& size : {
           Size{1, 40, 32, 32, 7, 1, 1, 3},     // one tile
           Size{2, 61, 33, 40, 7, 1, 3, 9},     // an odd number of inputs
           Size{1, 700, 32, 200, 7, 1, 9, 27},  // several tiles
           Size{1, 30, 48, 400, 7, 1, 9, 27},   // taps beyond both ends
           Size{1, 43, 64, 96, 10, 5, 1, 3},    // strided
           Size{1, 7, 35, 34, 7, 1, 1, 0},      // one frame
           Size{1, 300, 96, 96, 1, 1, 1, 0},
       }) {
    const auto [batch, frames, inputs, outputs, kernel, stride, dilation, padding] = size;
    SCOPED_TRACE(fmt::format("{}x{}x{}->{}/k{}s{}d{}p{}", batch, frames, inputs, outputs, kernel,
                             stride, dilation, padding));
    const Owned x({batch, frames, inputs}, 1), w({kernel, inputs, outputs}, 2), b({outputs}, 3);
    const Owned alpha({outputs}, 4);
    for (int64_t o = 0; o < outputs; ++o) alpha.tensor.data[o] = 1 + alpha.tensor[o] / 2;
    Conv1dSpec spec{stride, dilation, padding};
    const Shape result{batch, conv1d_length(frames, kernel, spec), outputs};
    const Owned skip(result, 5);
    const auto spec_for = [&](const Context& ctx) {
      Conv1dSpec in_context = spec;
      in_context.bf16.w = ctx.precision == Precision::bf16;
      return in_context;
    };
    expect_rounded_products(x, w, false, kernel * inputs,
                            [&](const Context& ctx, ConstTensor from, ConstTensor by) {
                              const Owned y(result);
                              conv1d_forward(ctx, y.tensor, from, by, Tensor{}, spec_for(ctx));
                              return to_double(y.tensor);
                            });
    expect_rounded_products(
        x, w, false, kernel * inputs, [&](const Context& ctx, ConstTensor from, ConstTensor by) {
          const Owned y(result), activated(result);
          std::copy_n(skip.tensor.data, result.size(), y.tensor.data);
          conv1d_add_snake_forward(ctx, y.tensor, activated.tensor, from, by, b.tensor,
                                   alpha.tensor, spec_for(ctx));
          std::vector<double> both = to_double(y.tensor), more = to_double(activated.tensor);
          both.insert(both.end(), more.begin(), more.end());
          return both;
        });
  }
}

TEST(ConvolutionBf16OnCpu, ConvTranspose1dMultipliesRoundedOperands) {
  if (!onednn::has_bf16()) GTEST_SKIP() << kWithoutBf16;
  for (const Size& size : {
           Size{1, 20, 64, 32, 16, 8, 1, 4}, Size{2, 61, 33, 40, 6, 3, 1, 2},  // odd
           Size{1, 600, 32, 200, 4, 2, 1, 1},                                  // several tiles
           Size{1, 40, 32, 48, 7, 3, 1, 0},  // the last group of taps is not full
           Size{1, 1, 48, 32, 16, 8, 1, 4},  // one frame
       }) {
    const auto [batch, frames, inputs, outputs, kernel, stride, dilation, padding] = size;
    SCOPED_TRACE(fmt::format("{}x{}x{}->{}/k{}s{}p{}", batch, frames, inputs, outputs, kernel,
                             stride, padding));
    const Owned x({batch, frames, inputs}, 1), w({inputs, kernel, outputs}, 2), b({outputs}, 3);
    const Owned alpha({outputs}, 4);
    for (int64_t o = 0; o < outputs; ++o) alpha.tensor.data[o] = 1 + alpha.tensor[o] / 2;
    ConvTranspose1dSpec spec{stride, padding};
    const Shape result{batch, conv_transpose1d_length(frames, kernel, spec), outputs};
    expect_rounded_products(
        x, w, true, (kernel + stride - 1) / stride * inputs,
        [&](const Context& ctx, ConstTensor from, ConstTensor by) {
          const Owned y(result), activated(result);
          ConvTranspose1dSpec in_context = spec;
          in_context.bf16.w = ctx.precision == Precision::bf16;
          conv_transpose1d_snake_forward(ctx, y.tensor, activated.tensor, from, by, b.tensor,
                                         alpha.tensor, in_context);
          std::vector<double> both = to_double(y.tensor), more = to_double(activated.tensor);
          both.insert(both.end(), more.begin(), more.end());
          return both;
        });
  }
}

}  // namespace
}  // namespace dsf::testing
