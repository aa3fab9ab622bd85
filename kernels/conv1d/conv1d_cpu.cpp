// A convolution is one matrix product per tap, added up in blocks of rows that stay in the
// second-level cache. On the machine this was written on that is as fast as oneDNN's convolution
// primitives where these are at their best, and faster at the dilations and channel counts where
// they are not; it needs no plan per length and no padded copy of x.
#include <algorithm>
#include <cmath>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/onednn/matmul.h"

namespace dsf::cpu {

using onednn::matmul;
using onednn::Transpose;

static constexpr int64_t kBlockRows = 256;

void conv1d_prepare(const Context&, Tensor prepared, ConstTensor w) {
  const int64_t outputs = w.dim(0), inputs = w.dim(1), kernel = w.dim(2);
  const auto transpose = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t k = 0; k < kernel; ++k) {
          prepared[(k * inputs + i) * outputs + o] = w[(o * inputs + i) * kernel + k];
        }
      }
    }
  };
  parallel_for(inputs, std::max<int64_t>(1, 16384 / std::max<int64_t>(outputs * kernel, 1)),
               transpose);
}

DSF_MULTIVERSION static void start_rows(float* __restrict y, const float* __restrict b,
                                        int64_t rows, int64_t cols, float keep) {
  for (int64_t r = 0; r < rows; ++r, y += cols) {
    for (int64_t c = 0; c < cols; ++c) y[c] = keep != 0.0F ? y[c] + b[c] : b[c];
  }
}

/// Frames begin … end−1 of one sequence: y = keep·y + b + Σ_k (rows of x under tap k)·w[k].
static void convolve_block(float* y, const float* x, int64_t frames, ConstTensor w, const float* b,
                           const Conv1dSpec& spec, float keep, int64_t begin, int64_t end) {
  const int64_t kernel = w.dim(0), inputs = w.dim(1), outputs = w.dim(2), stride = spec.stride;
  float* block = y + begin * outputs;
  if (b) {
    start_rows(block, b, end - begin, outputs, keep);
  } else if (keep == 0.0F) {
    std::fill_n(block, (end - begin) * outputs, 0.0F);
  }
  for (int64_t k = 0; k < kernel; ++k) {
    // Output frames t whose input t·stride + offset exists.
    const int64_t offset = k * spec.dilation - spec.padding;
    const int64_t first = std::max(begin, offset < 0 ? (-offset + stride - 1) / stride : 0);
    const int64_t last =
        offset >= frames ? first : std::min(end, (frames - 1 - offset) / stride + 1);
    if (first >= last) continue;
    matmul(Transpose::no, Transpose::no, last - first, outputs, inputs,
           x + (first * stride + offset) * inputs, stride * inputs, w.data + k * inputs * outputs,
           outputs, 1.0F, y + first * outputs, outputs);
  }
}

static void convolve(Tensor y, ConstTensor x, ConstTensor w, ConstTensor b, const Conv1dSpec& spec,
                     float keep) {
  const int64_t frames = x.dim(1), length = y.dim(1);
  for (int64_t n = 0; n < x.dim(0); ++n) {
    float* target = y.data + n * length * y.dim(2);
    const float* source = x.data + n * frames * x.dim(2);
    const auto blocks = [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; t += kBlockRows) {
        convolve_block(target, source, frames, w, b.data, spec, keep, t,
                       std::min(t + kBlockRows, end));
      }
    };
    if (length >= kBlockRows * num_threads()) {
      parallel_for(length, kBlockRows, blocks);
    } else {  // too few rows for a block to each thread: oneDNN splits every product instead
      convolve_block(target, source, frames, w, b.data, spec, keep, 0, length);
    }
  }
}

void conv1d_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                    const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 0.0F);
}

void conv1d_add_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                        const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 1.0F);
}

void conv1d_tanh_forward(const Context&, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b,
                         const Conv1dSpec& spec) {
  convolve(y, x, w, b, spec, 0.0F);
  // The C library's tanh: exact near 0, where most of a sound is, and called once per sample only.
  parallel_for(y.size(), 2048, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = std::tanh(y[i]);
  });
}

}  // namespace dsf::cpu
