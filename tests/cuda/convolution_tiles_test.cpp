// The tiles that convolutions on tensor cores choose from: whichever is taken, the sums are the
// same but for the order in which their terms are added.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "engine/model/arena.h"
#include "kernels/common/convolution.h"
#include "kernels/common/device_memory.h"
#include "kernels/common/memory.h"
#include "kernels/common/random.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t frames, inputs, outputs, kernel;
  int stride, step, phases, cut;

  int64_t length() const {
    return phases > 1 ? frames * phases : (frames - 1 - (kernel - 1) * step) / stride + 1;
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

/// y and its Snake, one after the other.
std::vector<float> convolved(const Context& ctx, const Size& size, size_t tile) {
  Arena arena(ctx);
  const Shape result{1, size.length(), size.outputs};
  const Tensor y = arena.tensor("y", result), snake = arena.tensor("snake", result);
  const bool transposed = size.phases > 1, bf16 = ctx.precision == Precision::bf16;
  Tensor w = random_tensor(ctx, arena, "w",
                           transposed ? Shape{size.inputs, size.kernel, size.outputs}
                                      : Shape{size.kernel, size.inputs, size.outputs},
                           2);
  if (bf16) {
    const Tensor rounded = arena.tensor("rounded", {w.size() / 2});
    cuda::round_convolution_weights(ctx, rounded.data, w, transposed);
    w.data = rounded.data;
  }
  cuda::Convolution c(y, random_tensor(ctx, arena, "x", {1, size.frames, size.inputs}, 1), w,
                      random_tensor(ctx, arena, "b", {size.outputs}, 3), size.kernel);
  c.bf16.w = bf16;
  c.stride = size.stride;
  c.step = transposed ? -1 : size.step;
  c.phases = size.phases;
  c.cut = size.cut;
  c.tap_rows = transposed ? 1 : c.inputs;
  c.input_rows = transposed ? c.kernel : 1;
  c.activated = snake.data;
  c.alpha = random_tensor(ctx, arena, "alpha", {size.outputs}, 4, 1).data;
  cuda::convolve_in_tiles(ctx, c, cuda::Finish::overwrite, tile);
  std::vector<float> values(static_cast<size_t>(2 * y.size()));
  const auto bytes = static_cast<size_t>(y.size()) * sizeof(float);
  copy_to_host(ctx, values.data(), y.data, bytes);
  copy_to_host(ctx, values.data() + y.size(), snake.data, bytes);
  return values;
}

TEST(CudaConvolution, EveryTileAddsTheSameTerms) {
  Context ctx{Device::cuda, cuda::create_stream()};
  for (const Size& size : {
           Size{150, 72, 100, 7, 1, 3, 1, 0},   // a window of all taps
           Size{290, 40, 136, 7, 1, 9, 1, 0},   // several tiles of frames and of channels
           Size{150, 72, 100, 3, 1, 40, 1, 0},  // taps too far apart for it
           Size{250, 72, 100, 5, 2, 1, 1, 0},   // …, as frames are
           Size{140, 104, 60, 1, 1, 1, 1, 0},   // one tap
           Size{75, 72, 100, 8, 1, 1, 4, 2},    // transposed
           Size{75, 72, 100, 6, 1, 1, 4, 1},    // … where phases have two taps or one
       }) {
    for (const Precision precision : {Precision::tf32, Precision::bf16}) {
      ctx.precision = precision;
      const std::vector<float> first = convolved(ctx, size, 0);
      for (size_t tile = 1; tile < std::size(cuda::kConvolutionTiles); ++tile) {
        const std::vector<float> other = convolved(ctx, size, tile);
        double error = 0, norm = 0;
        for (size_t i = 0; i < first.size(); ++i) {
          error += std::pow(double{first[i]} - other[i], 2);
          norm += std::pow(double{first[i]}, 2);
        }
        // Snake's slope is at most 2.
        EXPECT_LT(std::sqrt(error / norm), 2 * sum_tolerance(size.kernel * size.inputs).value)
            << fmt::format("{}, k{} d{} s{}, {} phases, {}", cuda::kConvolutionTiles[tile],
                           size.kernel, size.step, size.stride, size.phases, name_of(precision));
      }
    }
  }
  cuda::release_stream(ctx.stream);
}

}  // namespace
}  // namespace dsf::testing
