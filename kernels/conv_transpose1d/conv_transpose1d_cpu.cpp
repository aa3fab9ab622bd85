// Frame u of the result, with the cut-off frames back in front, is phase (u + p) mod s of period
// (u + p) / s. A period is s·Cout contiguous floats, and taps g·s … g·s + s−1 of input frame t are
// exactly the phases of period t + g. So each group g of s taps is one matrix product of x with
// s·Cout columns of w, added to the periods from g on: no intermediate, no overlap-add pass. Only
// the first and last periods, which the cut runs through, take fewer columns.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"
#include "kernels/onednn/matmul.h"

namespace dsf::cpu {

using onednn::matmul;
using onednn::Transpose;

static constexpr int64_t kBlockRows = 256;

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

  int64_t periods() const { return (length - 1 + padding) / stride + 1; }

  /// y += the products, over phases first_phase … end_phase−1 of periods begin … end−1.
  void add_products(int64_t begin, int64_t end, int64_t first_phase, int64_t end_phase) const {
    for (int64_t first_tap = 0; first_tap < kernel; first_tap += stride) {
      const int64_t group = first_tap / stride;
      const int64_t phases = std::min(end_phase, kernel - first_tap) - first_phase;
      const int64_t first = std::max(begin, group), last = std::min(end, frames + group);
      if (phases <= 0 || first >= last) continue;
      matmul(Transpose::no, Transpose::no, last - first, phases * outputs, inputs,
             x + (first - group) * inputs, inputs, w + (first_tap + first_phase) * outputs,
             kernel * outputs, 1.0F, y + (first * stride - padding + first_phase) * outputs,
             stride * outputs);
    }
  }

  /// All of y that lies in periods begin … end−1.
  void compute(int64_t begin, int64_t end) const {
    const int64_t first_frame = std::max<int64_t>(0, begin * stride - padding);
    const int64_t end_frame = std::min(length, end * stride - padding);
    for (int64_t u = first_frame; u < end_frame; ++u) {
      if (b) {
        std::copy_n(b, outputs, y + u * outputs);
      } else {
        std::fill_n(y + u * outputs, outputs, 0.0F);
      }
    }
    const auto cut_period = [&](int64_t period) {
      add_products(period, period + 1, std::max<int64_t>(0, padding - period * stride),
                   std::min(stride, length + padding - period * stride));
    };
    const int64_t whole_begin = std::clamp((padding + stride - 1) / stride, begin, end);
    const int64_t whole_end = std::clamp((length + padding) / stride, whole_begin, end);
    for (int64_t period = begin; period < whole_begin; ++period) cut_period(period);
    add_products(whole_begin, whole_end, 0, stride);
    for (int64_t period = whole_end; period < end; ++period) cut_period(period);
  }
};

void conv_transpose1d_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                              const ConvTranspose1dSpec& spec) {
  const int64_t frames = x.dim(1), length = y.dim(1), inputs = x.dim(2), outputs = y.dim(2);
  for (int64_t n = 0; n < x.dim(0); ++n) {
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
                              spec.padding};
    const int64_t periods = sequence.periods();
    if (periods >= kBlockRows * num_threads()) {
      parallel_for(periods, kBlockRows, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; r += kBlockRows) {
          sequence.compute(r, std::min(r + kBlockRows, end));
        }
      });
    } else {  // too few rows for a block to each thread: oneDNN splits every product instead
      sequence.compute(0, periods);
    }
  }
}

}  // namespace dsf::cpu
