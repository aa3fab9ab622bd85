// Rows of W are read in their memory order, each once, and made float32 on the way: for few rows of
// x in registers, for more in panels that fit a core's cache, which oneDNN multiplies.
#include <bit>
#include <vector>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/onednn/matmul.h"
#include "kernels/stored_linear/stored_linear.h"

namespace dsf::cpu {

static constexpr int64_t kFewRows = 4, kPanelRows = 32;
static constexpr int64_t kSums = 64;  // running sums of a row: hide the adder's latency

static DSF_INLINE float to_float(uint16_t bf16) {
  return std::bit_cast<float>(uint32_t{bf16} << 16);
}
static DSF_INLINE float to_float(int8_t integer) {
  return static_cast<float>(integer);
}

/// A row of W times `rows` rows of x, whose stride is `count`.
template <class Number, int64_t rows>
static DSF_INLINE void multiply_row(float (&y)[kFewRows], const Number* w, const float* x,
                                    int64_t count) {
  float sums[rows][kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    float weights[kSums];
    for (int64_t j = 0; j < kSums; ++j) weights[j] = to_float(w[i + j]);
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t j = 0; j < kSums; ++j) sums[m][j] += weights[j] * x[m * count + i + j];
    }
  }
  for (int64_t m = 0; m < rows; ++m) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < kSums; ++j) sum += sums[m][j];
    for (int64_t j = i; j < count; ++j) sum += to_float(w[j]) * x[m * count + j];
    y[m] = sum;
  }
}

/// y[m, o] of outputs begin … end − 1.
template <class Number, int64_t rows>
static DSF_INLINE void multiply_rows(Tensor y, ConstTensor x, const WeightMatrix& w, const float* b,
                                     int64_t begin, int64_t end) {
  for (int64_t o = begin; o < end; ++o) {
    float sums[kFewRows];
    multiply_row<Number, rows>(sums, static_cast<const Number*>(w.data) + o * w.cols, x.data,
                               w.cols);
    const float scale = w.scales ? w.scales[o] : 1;
    for (int64_t m = 0; m < rows; ++m) y.data[m * w.rows + o] = sums[m] * scale + (b ? b[o] : 0.0F);
  }
}

template <class Number>
static DSF_INLINE void multiply_few(Tensor y, ConstTensor x, const WeightMatrix& w, const float* b,
                                    int64_t begin, int64_t end) {
  switch (x.rows()) {
    case 1:
      return multiply_rows<Number, 1>(y, x, w, b, begin, end);
    case 2:
      return multiply_rows<Number, 2>(y, x, w, b, begin, end);
    case 3:
      return multiply_rows<Number, 3>(y, x, w, b, begin, end);
    default:
      return multiply_rows<Number, kFewRows>(y, x, w, b, begin, end);
  }
}

DSF_MULTIVERSION static void multiply_few_bf16(Tensor y, ConstTensor x, const WeightMatrix& w,
                                               const float* b, int64_t begin, int64_t end) {
  multiply_few<uint16_t>(y, x, w, b, begin, end);
}
DSF_MULTIVERSION static void multiply_few_int8(Tensor y, ConstTensor x, const WeightMatrix& w,
                                               const float* b, int64_t begin, int64_t end) {
  multiply_few<int8_t>(y, x, w, b, begin, end);
}

DSF_MULTIVERSION static void panel_of_bf16(float* to, const uint16_t* from, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = to_float(from[i]);
}
DSF_MULTIVERSION static void panel_of_int8(float* to, const int8_t* from, float scale,
                                           int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = to_float(from[i]) * scale;
}

/// `panel` [rows of w, cols].
static void make_panel(float* panel, const WeightMatrix& w) {
  if (w.format == WeightFormat::bf16) {
    panel_of_bf16(panel, static_cast<const uint16_t*>(w.data), w.rows * w.cols);
    return;
  }
  for (int64_t row = 0; row < w.rows; ++row) {
    panel_of_int8(panel + row * w.cols, static_cast<const int8_t*>(w.data) + row * w.cols,
                  w.scales[row], w.cols);
  }
}

static void multiply_panels(Tensor y, ConstTensor x, const WeightMatrix& w, const float* b,
                            int64_t begin, int64_t end) {
  thread_local std::vector<float> panel;
  panel.resize(static_cast<size_t>(kPanelRows * w.cols));
  for (int64_t first = begin * kPanelRows; first < std::min(end * kPanelRows, w.rows);
       first += kPanelRows) {
    const int64_t count = std::min(kPanelRows, w.rows - first);
    make_panel(panel.data(), w.slice(first, count));
    for (int64_t m = 0; b && m < x.rows(); ++m) std::copy_n(b + first, count, y.row(m) + first);
    onednn::matmul(onednn::Transpose::no, onednn::Transpose::yes, x.rows(), count, w.cols, x.data,
                   w.cols, panel.data(), w.cols, b ? 1.0F : 0.0F, y.data + first, w.rows);
  }
}

void stored_linear_forward(const Context&, Tensor y, ConstTensor x, const WeightMatrix& w,
                           ConstTensor b) {
  if (x.rows() > kFewRows) {
    parallel_for((w.rows + kPanelRows - 1) / kPanelRows, 1,
                 [&](int64_t begin, int64_t end) { multiply_panels(y, x, w, b.data, begin, end); });
    return;
  }
  const auto multiply = w.format == WeightFormat::bf16 ? multiply_few_bf16 : multiply_few_int8;
  parallel_for(w.rows, std::max<int64_t>(4, 32768 / w.cols),
               [&](int64_t begin, int64_t end) { multiply(y, x, w, b.data, begin, end); });
}

}  // namespace dsf::cpu
