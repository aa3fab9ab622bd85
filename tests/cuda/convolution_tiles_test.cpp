// The tiles that convolutions on tensor cores choose from, and cuDNN: whichever is taken, the sums
// are the same but for the order in which their terms are added.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "engine/model/arena.h"
#include "kernels/common/bf16_copies.h"
#include "kernels/common/convolution.h"
#include "kernels/common/device_memory.h"
#include "kernels/common/memory.h"
#include "kernels/common/random.h"
#include "kernels/cudnn/convolution.h"
#include "tests/cuda/orders.h"
#include "tests/simt/cuda_half.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t frames, inputs, outputs, kernel;
  int stride, step, phases, cut;
  int padding = 0;

  int64_t length() const {
    return phases > 1 ? (frames - 1) * phases - 2 * cut + kernel
                      : (frames + 2 * padding - 1 - (kernel - 1) * step) / stride + 1;
  }
};

Tensor random_tensor(const Context& ctx, Arena& arena, const std::string& name, const Shape& shape,
                     uint64_t seed, float mean = 0) {
  const Tensor tensor = arena.tensor(name, shape);
  std::vector<float> values(static_cast<size_t>(tensor.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(random_words({seed, 2, 3}, i)[0]) * 0x1p-32F - 0.5F + mean;
  }
  upload(ctx, tensor, static_cast<const float*>(values.data()));
  return tensor;
}

/// A convolution's tensors on the GPU, and itself.
struct Operands {
  Arena arena;
  Tensor y, snake;
  cuda::Convolution convolution;

  Operands(const Context& ctx, const Size& size)
      : arena(ctx),
        y(arena.tensor("y", {1, size.length(), size.outputs})),
        snake(arena.tensor("snake", y.shape)),
        convolution(y, random_tensor(ctx, arena, "x", {1, size.frames, size.inputs}, 1),
                    weights(ctx, arena, size), random_tensor(ctx, arena, "b", {size.outputs}, 3),
                    size.kernel) {
    const bool transposed = size.phases > 1;
    convolution.stride = size.stride;
    convolution.step = transposed ? -1 : size.step;
    convolution.phases = size.phases;
    convolution.offset = -size.padding;
    convolution.cut = size.cut;
    convolution.tap_rows = transposed ? 1 : convolution.inputs;
    convolution.input_rows = transposed ? convolution.kernel : 1;
    convolution.activated = snake.data;
    convolution.alpha = random_tensor(ctx, arena, "alpha", {size.outputs}, 4, 1).data;
    convolution.bf16.w = ctx.precision == Precision::bf16;
  }

  /// y and its Snake, one after the other.
  std::vector<float> results(const Context& ctx) const {
    std::vector<float> values(static_cast<size_t>(2 * y.size()));
    const auto bytes = static_cast<size_t>(y.size()) * sizeof(float);
    copy_to_host(ctx, values.data(), y.data, bytes);
    copy_to_host(ctx, values.data() + y.size(), snake.data, bytes);
    return values;
  }

 private:
  static Tensor weights(const Context& ctx, Arena& arena, const Size& size) {
    const bool transposed = size.phases > 1;
    Tensor w = random_tensor(ctx, arena, "w",
                             transposed ? Shape{size.inputs, size.kernel, size.outputs}
                                        : Shape{size.kernel, size.inputs, size.outputs},
                             2);
    if (ctx.precision != Precision::bf16) return w;
    const Tensor rounded = arena.tensor("rounded", {w.size() / 2});
    cuda::round_convolution_weights(ctx, rounded.data, w, transposed);
    return {rounded.data, w.shape};
  }
};

std::vector<float> convolved(const Context& ctx, const Size& size, size_t tile) {
  const Operands operands(ctx, size);
  cuda::convolve_in_tiles(ctx, operands.convolution, cuda::Finish::overwrite, tile);
  return operands.results(ctx);
}

/// By the kernels for float32.
std::vector<float> convolved_exactly(Context ctx, const Size& size) {
  ctx.precision = Precision::fp32;
  const Operands operands(ctx, size);
  cuda::convolve(ctx, operands.convolution, cuda::Finish::overwrite);
  return operands.results(ctx);
}

/// Of the norm of `expected`.
double distance(const std::vector<float>& expected, const std::vector<float>& values) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double{expected[i]} - values[i], 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(error / norm);
}

const std::vector<Size>& sizes() {
  static const std::vector<Size> sizes = {
      Size{150, 72, 100, 7, 1, 3, 1, 0},   // a window of all taps
      Size{290, 40, 136, 7, 1, 9, 1, 0},   // several tiles of frames and of channels
      Size{150, 72, 100, 3, 1, 40, 1, 0},  // taps too far apart for it
      Size{250, 72, 100, 5, 2, 1, 1, 0},   // …, as frames are
      Size{90, 40, 64, 7, 1, 3, 1, 0, 9},  // zeros on each side
      Size{140, 104, 60, 1, 1, 1, 1, 0},   // one tap
      Size{75, 72, 100, 8, 1, 1, 4, 2},    // transposed
      Size{75, 72, 100, 6, 1, 1, 4, 1},    // … where phases have two taps or one
  };
  return sizes;
}

std::string describe(const Size& size, size_t tile, Precision precision) {
  return fmt::format("{}, k{} d{} s{}, {} phases, {}", cuda::kConvolutionTiles[tile], size.kernel,
                     size.step, size.stride, size.phases, name_of(precision));
}

// Both operands are rounded by up to u, and Snake's slope is at most 2.
TEST(CudaConvolution, EveryTileAddsTheSameTerms) {
  Context ctx{Device::cuda, cuda::create_stream()};
  for (const Size& size : sizes()) {
    const std::vector<float> exact = convolved_exactly(ctx, size);
    for (const Precision precision : {Precision::tf32, Precision::bf16}) {
      ctx.precision = precision;
      const double roundoff = precision == Precision::tf32 ? 0x1p-11 : 0x1p-8;
      const std::vector<float> first = convolved(ctx, size, 0);
      EXPECT_LT(distance(exact, first), 2 * std::sqrt(2.0) * roundoff)
          << describe(size, 0, precision);
      EXPECT_GT(distance(exact, first), roundoff / 8) << describe(size, 0, precision);
      for (size_t tile = 1; tile < std::size(cuda::kConvolutionTiles); ++tile) {
        EXPECT_LT(distance(first, convolved(ctx, size, tile)),
                  2 * sum_tolerance(size.kernel * size.inputs).value)
            << describe(size, tile, precision);
      }
    }
  }
  cuda::release_stream(ctx.stream);
}

// x that was rounded before, and a result that is.
TEST(CudaConvolution, ReadsAndWritesBf16) {
  const Context ctx{Device::cuda, cuda::create_stream(), Precision::bf16};
  for (const Size& size : sizes()) {
    const std::vector<float> expected = convolved(ctx, size, 3);
    Operands operands(ctx, size);
    cuda::Convolution& c = operands.convolution;
    const Tensor rounded = operands.arena.tensor("rounded x", {size.frames * size.inputs / 2});
    const cuda::Bf16Copy copy{c.x, size.frames, size.inputs, size.inputs, rounded.data};
    cuda::round_to_bf16(ctx, {&copy, 1});
    c.x = rounded.data;
    c.bf16 = {true, true, true};
    cuda::convolve_in_tiles(ctx, c, cuda::Finish::overwrite, 3);
    const auto count = static_cast<size_t>(operands.y.size());
    const std::vector<float> values = operands.results(ctx);
    std::vector<uint16_t> snake(count);
    copy_to_host(ctx, snake.data(), operands.snake.data, count * sizeof(uint16_t));
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(values[i], expected[i]) << describe(size, 3, Precision::bf16) << ", " << i;
      ASSERT_EQ(snake[i], simt::to_bf16_bits(expected[count + i])) << i;
    }
  }
  cuda::release_stream(ctx.stream);
}

/// y, of random numbers before, and its Snake; by cuDNN, nothing where that has no plan, or by our
/// kernels.
std::vector<float> finished(const Context& ctx, const Size& size, cuda::Finish finish,
                            bool through_cudnn) {
  Operands operands(ctx, size);
  const Tensor before =
      random_tensor(ctx, operands.arena, "before", {1, size.length(), size.outputs}, 5);
  cuda::copy_on_device(ctx, operands.y.data, before.data,
                       static_cast<size_t>(before.size()) * sizeof(float));
  if (!through_cudnn) {
    cuda::convolve(ctx, operands.convolution, finish);
  } else if (!cuda::convolve_through_cudnn(ctx, operands.convolution, finish)) {
    return {};
  }
  return operands.results(ctx);
}

TEST(CudaConvolution, CudnnAddsTheSameTerms) {
  const std::string lacks = cudnn::lacks ? cudnn::lacks() : "built without cuDNN";
  if (!lacks.empty()) GTEST_SKIP() << "SKIPPED: " << lacks;
  Context ctx{Device::cuda, cuda::create_stream()};
  std::vector<Size> all = sizes();
  if (!simulated()) all.push_back({3440, 768, 768, 7, 1, 9, 1, 0, 27});  // sums in several parts
  for (const Size& size : all) {
    for (const auto finish : {cuda::Finish::overwrite, cuda::Finish::add, cuda::Finish::tanh}) {
      for (const Precision precision : {Precision::fp32, Precision::tf32}) {
        ctx.precision = precision;
        const double tolerance = precision == Precision::tf32
                                     ? 4 * std::sqrt(2.0) * 0x1p-11
                                     : 2 * sum_tolerance(size.kernel * size.inputs).value;
        const std::string name =
            fmt::format("k{} d{} s{}, {} phases, finish {}, {}", size.kernel, size.step,
                        size.stride, size.phases, static_cast<int>(finish), name_of(precision));
        const std::vector<float> sums = finished(ctx, size, finish, true);
        if (sums.empty()) {  // none of cuDNN's first choices may do
          EXPECT_TRUE(size.phases > 1 && precision == Precision::fp32) << name << ": no plan";
          continue;
        }
        EXPECT_LT(distance(finished(ctx, size, finish, false), sums), tolerance) << name;
        EXPECT_EQ(finished(ctx, size, finish, true), sums) << name;
      }
    }
  }
  cudnn::release(ctx.stream);
  cuda::release_cudnn_memory(ctx.stream);
  cuda::release_stream(ctx.stream);
}

}  // namespace
}  // namespace dsf::testing
