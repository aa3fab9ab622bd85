#include "kernels/conv1d/minimal_filtering.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/onednn/matmul.h"

namespace dsf::cpu {

static constexpr int64_t kPoints = kMinimalPoints, kTaps = kMinimalTaps;

/// G [points, taps]: of point p its powers, over the product of its distances from the others.
static constexpr double kWeightTransform[kPoints][kTaps] = {
    {1, 0, 0, 0, 0, 0, 0},
    {-2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9, -2.0 / 9},
    {-2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9, -2.0 / 9},
    {1.0 / 90, 2.0 / 90, 4.0 / 90, 8.0 / 90, 16.0 / 90, 32.0 / 90, 64.0 / 90},
    {1.0 / 90, -2.0 / 90, 4.0 / 90, -8.0 / 90, 16.0 / 90, -32.0 / 90, 64.0 / 90},
    {64.0 / 90, 32.0 / 90, 16.0 / 90, 8.0 / 90, 4.0 / 90, 2.0 / 90, 1.0 / 90},
    {64.0 / 90, -32.0 / 90, 16.0 / 90, -8.0 / 90, 4.0 / 90, -2.0 / 90, 1.0 / 90},
    {0, 0, 0, 0, 0, 0, 1}};

/// z_p of one pair of outputs: rows x[m] of `count` channels, z[p] `stride` apart.
DSF_MULTIVERSION static void transform_inputs(float* __restrict z, int64_t stride,
                                              const std::array<const float*, kPoints>& x,
                                              int64_t count) {
  const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
  const float *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
#pragma omp simd
  for (int64_t c = 0; c < count; ++c) {
    const float a1 = x1[c], a2 = x2[c], a3 = x3[c], a4 = x4[c], a5 = x5[c], a6 = x6[c];
    const float even1 = a2 - 4.25F * a4 + a6, odd1 = a1 - 4.25F * a3 + a5;
    const float even2 = 0.25F * a2 - 1.25F * a4 + a6, odd2 = 0.5F * a1 - 2.5F * a3 + 2 * a5;
    const float even3 = 4 * a2 - 5 * a4 + a6, odd3 = 2 * a1 - 2.5F * a3 + 0.5F * a5;
    z[c] = x0[c] - a6 + 5.25F * (a4 - a2);
    z[stride + c] = even1 + odd1;
    z[2 * stride + c] = even1 - odd1;
    z[3 * stride + c] = even2 + odd2;
    z[4 * stride + c] = even2 - odd2;
    z[5 * stride + c] = even3 + odd3;
    z[6 * stride + c] = even3 - odd3;
    z[7 * stride + c] = x7[c] - a1 + 5.25F * (a3 - a5);
  }
}

/// What sums are added to.
static DSF_INLINE float started(const float* y, const float* b, float keep, int64_t c) {
  return (keep != 0.0F ? y[c] : 0.0F) + b[c];
}

/// Both outputs of a pair, from s_p that are `stride` apart; `second` may be null.
DSF_MULTIVERSION static void transform_sums(float* __restrict first, float* __restrict second,
                                            const float* __restrict s, int64_t stride,
                                            const float* __restrict b, float keep, int64_t count) {
#pragma omp simd
  for (int64_t c = 0; c < count; ++c) {
    const float at1 = s[stride + c], at2 = s[2 * stride + c], at3 = s[3 * stride + c];
    const float at4 = s[4 * stride + c], at5 = s[5 * stride + c], at6 = s[6 * stride + c];
    const float sum = s[c] + (at1 + at2) + (at3 + at4) + (at5 + at6);
    first[c] = started(first, b, keep, c) + sum;
  }
  if (!second) return;
#pragma omp simd
  for (int64_t c = 0; c < count; ++c) {
    const float at1 = s[stride + c], at2 = s[2 * stride + c], at3 = s[3 * stride + c];
    const float at4 = s[4 * stride + c], at5 = s[5 * stride + c], at6 = s[6 * stride + c];
    const float sum = s[7 * stride + c] + (at1 - at2) + 2 * (at3 - at4) + 0.5F * (at5 - at6);
    second[c] = started(second, b, keep, c) + sum;
  }
}

void filter_minimally(float* y, const float* x, ConstTensor w, const float* b, float keep,
                      const Conv1dSpec& spec, int64_t frames, int64_t begin, int64_t end,
                      int64_t first, int64_t count) {
  const int64_t inputs = w.dim(1), outputs = w.dim(2), d = spec.dilation;
  // Frames t and t + d are a pair; in 2d frames are d of them. The last may be without a second.
  const int64_t blocks = (end - begin) / (2 * d);
  const int64_t number = blocks * d + std::min(d, end - begin - blocks * 2 * d);
  const auto first_of_pair = [&](int64_t pair) { return begin + pair / d * 2 * d + pair % d; };
  // Grown to what the largest layer needs. Zeros are the frames beside x, and a bias of none.
  thread_local std::vector<float> memory, zeros;
  const auto grow = [](std::vector<float>& buffer, int64_t size) {
    if (std::ssize(buffer) < size) buffer.resize(static_cast<size_t>(size));
  };
  grow(memory, kPoints * number * (inputs + count));
  grow(zeros, std::max(inputs, count));
  float* const z = memory.data();
  float* const s = z + kPoints * number * inputs;
  for (int64_t pair = 0; pair < number; ++pair) {
    std::array<const float*, kPoints> rows;
    for (int64_t m = 0; m < kPoints; ++m) {
      const int64_t frame = first_of_pair(pair) + m * d - spec.padding;
      rows[static_cast<size_t>(m)] =
          frame >= 0 && frame < frames ? x + frame * inputs : zeros.data();
    }
    transform_inputs(z + pair * inputs, number * inputs, rows, inputs);
  }
  for (int64_t p = 0; p < kPoints; ++p) {
    onednn::matmul(onednn::Transpose::no, onednn::Transpose::no, number, count, inputs,
                   z + p * number * inputs, inputs, w.data + p * inputs * outputs + first, outputs,
                   0.0F, s + p * number * count, count);
  }
  for (int64_t pair = 0; pair < number; ++pair) {
    const int64_t t = first_of_pair(pair);
    transform_sums(y + t * outputs + first, t + d < end ? y + (t + d) * outputs + first : nullptr,
                   s + pair * count, number * count, b ? b + first : zeros.data(), keep, count);
  }
}

}  // namespace dsf::cpu

namespace dsf {

using cpu::kPoints, cpu::kTaps;

void conv1d_prepare_minimal(Tensor prepared, ConstTensor w) {
  DSF_CHECK(
      w.rank() == 3 && w.dim(2) == kTaps && prepared.shape == Shape({kPoints, w.dim(1), w.dim(0)}),
      "prepared {} from w {}", prepared.shape.str(), w.shape.str());
  const int64_t outputs = w.dim(0), inputs = w.dim(1);
  parallel_for(inputs, std::max<int64_t>(1, 4096 / outputs), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t o = 0; o < outputs; ++o) {
        const float* const taps = w.data + (o * inputs + i) * kTaps;
        for (int64_t p = 0; p < kPoints; ++p) {
          double sum = 0;
          for (int64_t k = 0; k < kTaps; ++k) {
            sum += cpu::kWeightTransform[p][k] * static_cast<double>(taps[k]);
          }
          prepared[(p * inputs + i) * outputs + o] = static_cast<float>(sum);
        }
      }
    }
  });
}

}  // namespace dsf
