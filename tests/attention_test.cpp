// What no case with scores of ordinary size shows.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/common/device_memory.h"
#include "kernels/common/random.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

/// Those that have the op in this program; the GPU may be a simulated one.
std::vector<Context> contexts() {
  std::vector<Context> contexts{Context{}};
  if (cuda::attention_forward) contexts.push_back(Context{Device::cuda});
  return contexts;
}

std::vector<float> random_values(const Shape& shape, double scale, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t word = random_words({seed, 0, 0}, i)[0];
    values[i] = static_cast<float>(scale * (word * 0x1p-31 - 1));
  }
  return values;
}

/// A tensor in the memory of a context's device.
class DeviceTensor {
 public:
  DeviceTensor(const Context& ctx, const Shape& shape, std::vector<float> values)
      : ctx_(ctx), values_(std::move(values)), view_(values_.data(), shape) {
    if (!on_gpu()) return;
    view_.data = static_cast<float*>(cuda::allocate(bytes()));
    cuda::copy_to_device(ctx_, view_.data, values_.data(), bytes());
    cuda::synchronize(ctx_);
  }
  DeviceTensor(const Context& ctx, const Shape& shape)
      : DeviceTensor(ctx, shape, std::vector<float>(static_cast<size_t>(shape.size()))) {}
  ~DeviceTensor() {
    if (on_gpu()) cuda::release(view_.data);
  }
  DeviceTensor(const DeviceTensor&) = delete;
  DeviceTensor& operator=(const DeviceTensor&) = delete;

  Tensor view() const { return view_; }
  const std::vector<float>& values() {
    if (on_gpu()) {
      cuda::copy_to_host(ctx_, values_.data(), view_.data, bytes());
      cuda::synchronize(ctx_);
    }
    return values_;
  }

 private:
  bool on_gpu() const { return ctx_.device == Device::cuda; }
  size_t bytes() const { return values_.size() * sizeof(float); }

  Context ctx_;
  std::vector<float> values_;
  Tensor view_;
};

// Probabilities of a row sum to one, in backward too. So where every row of dy is the same, the
// gradients of the values add up to it times the number of rows, whatever the scores are, and that
// of a query is finite.
void expect_probabilities_of_forward(const Context& ctx, double scale) {
  constexpr int64_t kLength = 40, kEmbed = 12, kHeads = 2, kLookback = 9;
  const Shape shape{1, kLength, kEmbed};
  std::vector<float> same_rows(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < same_rows.size(); ++i) same_rows[i] = static_cast<float>(i % kEmbed + 1);
  DeviceTensor q(ctx, shape, random_values(shape, scale, 1));
  DeviceTensor k(ctx, shape, random_values(shape, scale, 2));
  DeviceTensor v(ctx, shape, random_values(shape, 1, 3)), dy(ctx, shape, same_rows);
  DeviceTensor y(ctx, shape), softmax(ctx, {1, kHeads, kLength, 3});
  DeviceTensor dq(ctx, shape), dk(ctx, shape), dv(ctx, shape);
  attention_forward(ctx, y.view(), softmax.view(), q.view(), k.view(), v.view(), kHeads, kLookback,
                    {});
  attention_backward(ctx, overwrite(dq.view()), overwrite(dk.view()), overwrite(dv.view()),
                     dy.view(), y.view(), softmax.view(), q.view(), k.view(), v.view(), kHeads,
                     kLookback, {});
  for (DeviceTensor* gradient : {&dq, &dk}) {
    for (const float value : gradient->values()) {
      EXPECT_TRUE(std::isfinite(value)) << "scale " << scale;
    }
  }
  const std::vector<float>& value_gradients = dv.values();
  for (size_t channel = 0; channel < kEmbed; ++channel) {
    double sum = 0;
    for (size_t t = 0; t < kLength; ++t) sum += value_gradients[t * kEmbed + channel];
    const auto expected = static_cast<double>(kLength * (channel + 1));
    // A sum of probabilities rounds lookback + 1 times, a sum over rows as often; tensor cores
    // round each probability besides.
    const double roundoff = ctx.precision == Precision::fp32   ? 0
                            : ctx.precision == Precision::tf32 ? 0x1p-11
                                                               : 0x1p-8;
    EXPECT_NEAR(sum / expected, 1, roundoff + (kLookback + 1) * 0x1p-24) << "scale " << scale;
  }
}

TEST(Attention, BackwardSeesTheProbabilitiesOfForwardForScoresOfAnySize) {
  std::vector<Context> all = contexts();
  if (cuda::allocate) {
    all.push_back({Device::cuda, nullptr, Precision::tf32});
    all.push_back({Device::cuda, nullptr, Precision::bf16});
  }
  for (const Context& ctx : all) {
    SCOPED_TRACE(fmt::format("{}, {}", name_of(ctx.device), name_of(ctx.precision)));
    for (const double scale : {1.0, 1e2, 1e4, 1e8}) expect_probabilities_of_forward(ctx, scale);
  }
}

TEST(Attention, AGpuRefusesHeadsOfMoreThan128) {
  if (!cuda::attention_forward)
    GTEST_SKIP() << "SKIPPED: this program has no CUDA form of the op (sanitizer builds)";
  const Context ctx{Device::cuda};
  float untouched = 0;
  const Tensor x(&untouched, {1, 1, 129}), softmax(&untouched, {1, 1, 1, 3});
  const Tensor q(&untouched, {1, 129});
  const std::vector<std::string> parts{"heads of 129", "at most 128"};
  testing::expect_error<Error>([&] { attention_forward(ctx, x, softmax, x, x, x, 1, 0, {}); },
                               parts);
  testing::expect_error<Error>(
      [&] {
        attention_backward(ctx, overwrite(x), overwrite(x), overwrite(x), x, x, softmax, x, x, x, 1,
                           0, {});
      },
      parts);
  testing::expect_error<Error>([&] { attention_step_forward(ctx, q, q, x, x, 1, 1); }, parts);
}

}  // namespace
}  // namespace dsf
