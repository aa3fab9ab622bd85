// W is made float32 on the way: for few rows of x in registers (stored_rows.h), for more in panels
// that fit a core's cache, which oneDNN multiplies.
#include <algorithm>
#include <vector>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/onednn/matmul.h"
#include "kernels/stored_linear/stored_linear.h"
#include "kernels/stored_linear/stored_rows.h"

namespace dsf::cpu {

static constexpr int64_t kPanelRows = 32;

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
  parallel_for(w.rows, std::max<int64_t>(4, 32768 / w.cols), [&](int64_t begin, int64_t end) {
    multiply_rows(y, x, w, b.data, Activation::none, begin, end);
  });
}

}  // namespace dsf::cpu
