// Frame u of the result, with the cut-off frames back in front, is phase (u + p) mod s of period
// (u + p) / s. A period is s·Cout contiguous floats, and taps g·s … g·s + s−1 of input frame t are
// exactly the phases of period t + g. So each group g of s taps is one matrix product of x with
// s·Cout columns of w, added to the periods from g on: no intermediate, no overlap-add pass. Only
// the first and last periods, which the cut runs through, take fewer columns.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"
#include "kernels/onednn/bf16_matmul.h"
#include "kernels/onednn/matmul.h"
#include "kernels/snake/snake.h"

namespace dsf::cpu {

using onednn::matmul;
using onednn::Transpose;

void conv_transpose1d_prepare(const Context&, Tensor prepared, ConstTensor w) {
  const int64_t inputs = w.dim(0), outputs = w.dim(1), kernel = w.dim(2);
  const auto transpose = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t k = 0; k < kernel; ++k) {
        for (int64_t o = 0; o < outputs; ++o) {
          prepared[(i * kernel + k) * outputs + o] = w[(i * outputs + o) * kernel + k];
        }
      }
    }
  };
  parallel_for(inputs, std::max<int64_t>(1, 16384 / std::max<int64_t>(outputs * kernel, 1)),
               transpose);
}

/// One sequence of a transposed convolution.
struct Upsampling {
  float* y;
  const float* x;
  const float* w;
  const float* b;  // may be null
  int64_t frames, length, inputs, outputs, kernel, stride, padding;
  bool bf16;  // w is rounded, and x is to be

  /// y += the products, over phases first_phase … end_phase−1 of periods begin … end−1.
  void add_products(int64_t begin, int64_t end, int64_t first_phase, int64_t end_phase) const {
    for (int64_t first_tap = 0; first_tap < kernel; first_tap += stride) {
      const int64_t group = first_tap / stride;
      const int64_t phases = std::min(end_phase, kernel - first_tap) - first_phase;
      const int64_t first = std::max(begin, group), last = std::min(end, frames + group);
      if (phases <= 0 || first >= last) continue;
      float* const sums = y + (first * stride - padding + first_phase) * outputs;
      if (bf16) {
        onednn::bf16_matmul(
            last - first, phases * outputs, inputs,
            rounded_rows(x, frames, inputs, first - group, last - first), inputs,
            reinterpret_cast<const uint16_t*>(w) + (first_tap + first_phase) * outputs,
            kernel * outputs, sums, stride * outputs);
        continue;
      }
      matmul(Transpose::no, Transpose::no, last - first, phases * outputs, inputs,
             x + (first - group) * inputs, inputs, w + (first_tap + first_phase) * outputs,
             kernel * outputs, 1.0F, sums, stride * outputs);
    }
  }

  /// All of y that lies in phases first_phase … end_phase−1 of periods begin … end−1.
  void compute(int64_t begin, int64_t end, int64_t first_phase, int64_t end_phase) const {
    const auto from = [&](int64_t period) {  // the phases of a period that exist in y
      return std::max(first_phase, padding - period * stride);
    };
    const auto to = [&](int64_t period) {
      return std::min(end_phase, length + padding - period * stride);
    };
    for (int64_t period = begin; period < end; ++period) {
      for (int64_t phase = from(period); phase < to(period); ++phase) {
        float* frame = y + (period * stride - padding + phase) * outputs;
        if (b) {
          std::copy_n(b, outputs, frame);
        } else {
          std::fill_n(frame, outputs, 0.0F);
        }
      }
    }
    const auto cut_period = [&](int64_t period) {
      add_products(period, period + 1, from(period), to(period));
    };
    const int64_t whole_begin = std::clamp((padding + stride - 1) / stride, begin, end);
    const int64_t whole_end = std::clamp((length + padding) / stride, whole_begin, end);
    for (int64_t period = begin; period < whole_begin; ++period) cut_period(period);
    add_products(whole_begin, whole_end, first_phase, end_phase);
    for (int64_t period = whole_end; period < end; ++period) cut_period(period);
  }
};

/// How the periods are cut into tiles: by shape alone, never by the number of threads, so that no
/// result depends on it. Few periods are cut by phases as well, so that several cores find work.
struct PeriodTiling {
  static constexpr int64_t kPeriods = 256, kTiles = 16;
  int64_t period_tiles, phase_tiles;

  PeriodTiling(int64_t periods, int64_t stride)
      : period_tiles((periods + kPeriods - 1) / kPeriods),
        phase_tiles(std::min(stride, (kTiles + period_tiles - 1) / period_tiles)) {}
  int64_t count() const { return period_tiles * phase_tiles; }
};

void conv_transpose1d_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                              const ConvTranspose1dSpec& spec) {
  const int64_t frames = x.dim(1), length = y.dim(1), inputs = x.dim(2), outputs = y.dim(2);
  const int64_t periods = (length - 1 + spec.padding) / spec.stride + 1;
  const PeriodTiling tiling(periods, spec.stride);
  parallel_for(x.dim(0) * tiling.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / tiling.count(), tile = i % tiling.count();
      const Upsampling sequence{y.data + n * length * outputs,
                                x.data + n * frames * inputs,
                                w.data,
                                b.data,
                                frames,
                                length,
                                inputs,
                                outputs,
                                w.dim(1),
                                spec.stride,
                                spec.padding,
                                spec.bf16.w};
      const int64_t p = tile / tiling.phase_tiles, phase = tile % tiling.phase_tiles;
      sequence.compute(periods * p / tiling.period_tiles, periods * (p + 1) / tiling.period_tiles,
                       spec.stride * phase / tiling.phase_tiles,
                       spec.stride * (phase + 1) / tiling.phase_tiles);
    }
  });
}

void conv_transpose1d_snake_forward(const Context& ctx, Tensor y, Tensor activated, ConstTensor x,
                                    ConstTensor w, ConstTensor b, ConstTensor alpha,
                                    const ConvTranspose1dSpec& spec) {
  cpu::conv_transpose1d_forward(ctx, y, x, w, b, spec);
  cpu::snake_forward(ctx, activated, y, alpha);
}

}  // namespace dsf::cpu
