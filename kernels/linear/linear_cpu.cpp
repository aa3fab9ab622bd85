// Matrix products by oneDNN. A product of few rows (one generated frame, a few streams) is bound by
// reading W once and is done here by dot products: W in its memory order, no packing, float32 in
// every precision.
#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/linear/linear.h"
#include "kernels/onednn/prepared_matmul.h"
#include "kernels/relu/relu.h"

namespace dsf::cpu {

using onednn::Transpose;

static constexpr int64_t kFewRows = 4;

/// Σ a[i]·b[i]. Sixty-four running sums: enough independent ones to hide the adder's latency while
/// `a` is read front to back, which is what the memory's prefetching wants.
static DSF_INLINE float dot(const float* a, const float* b, int64_t count) {
  constexpr int64_t kSums = 64;
  float sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int64_t j = 0; j < kSums; ++j) sums[j] += a[i + j] * b[i + j];
  }
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < kSums; ++j) sum += sums[j];
#pragma omp simd reduction(+ : sum)
  for (int64_t j = i; j < count; ++j) sum += a[j] * b[j];
  return sum;
}

/// y[m, o] = x[m]·w[o] + b[o] + keep·y[m, o] for outputs begin ≤ o < end of `rows` rows; w has row
/// stride ldw, and each of its rows is read once.
DSF_MULTIVERSION static void dot_products(float* y, int64_t ldy, const float* x, int64_t inputs,
                                          int64_t rows, const float* w, int64_t ldw, const float* b,
                                          float keep, int64_t begin, int64_t end) {
  for (int64_t o = begin; o < end; ++o) {
    for (int64_t m = 0; m < rows; ++m) {
      float& out = y[m * ldy + o];
      const float kept = keep != 0.0F ? keep * out : 0.0F;
      out = dot(w + o * ldw, x + m * inputs, inputs) + (b ? b[o] : 0.0F) + kept;
    }
  }
}

/// Fills rows begin … end of y with row r/repeat of `source`.
static void broadcast_rows(Tensor y, const float* source, int64_t repeat) {
  const int64_t cols = y.cols();
  parallel_for(y.rows(), std::max<int64_t>(1, 16384 / cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      std::copy_n(source + r / repeat * cols, cols, y.row(r));
    }
  });
}

DSF_MULTIVERSION static void add_row(float* __restrict sum, const float* __restrict row,
                                     int64_t count) {
  for (int64_t i = 0; i < count; ++i) sum[i] += row[i];
}

/// sums[g, :] = Σ over the `group` rows of group g, added to keep·sums. Rows in order, split by
/// columns: the result does not depend on the number of threads.
static void sum_groups(float* sums, const float* x, int64_t groups, int64_t group, int64_t cols,
                       float keep) {
  const auto sum_block = [&](int64_t g, int64_t begin, int64_t end) {
    float* sum = sums + g * cols;
    if (keep == 0.0F) std::fill(sum + begin, sum + end, 0.0F);
    for (int64_t r = g * group; r < (g + 1) * group; ++r) {
      add_row(sum + begin, x + r * cols + begin, end - begin);
    }
  };
  if (groups > 1) {
    parallel_for(groups, std::max<int64_t>(1, 16384 / (group * cols)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t g = begin; g < end; ++g) sum_block(g, 0, cols);
                 });
  } else {
    parallel_for(cols, std::max<int64_t>(16, 16384 / std::max<int64_t>(group, 1)),
                 [&](int64_t begin, int64_t end) { sum_block(0, begin, end); });
  }
}

namespace {

/// What is done with a product beside adding the bias.
struct LinearFinish {
  float keep = 0;  // of y's old values
  bool relu = false;
};

}  // namespace

/// Whether operands of products of so many rows of x are rounded.
static bool in_bf16(const Context& ctx, int64_t rows) {
  return ctx.precision == Precision::bf16 && rows > kFewRows;
}

/// y = x·Wᵀ + b + keep·y, perhaps through a ReLU (b may be null); w has row stride ldw.
static void product(const Context& ctx, Tensor y, ConstTensor x, const float* w, int64_t ldw,
                    const float* b, LinearFinish finish) {
  const int64_t rows = x.rows(), inputs = x.cols(), outputs = y.cols();
  if (rows > kFewRows) {
    onednn::prepared_matmul({Transpose::no, Transpose::yes, rows, outputs, inputs, x.data, inputs,
                             w, ldw, finish.keep, y.data, outputs, b, finish.relu,
                             in_bf16(ctx, rows)});
    return;
  }
  parallel_for(outputs, std::max<int64_t>(4, 16384 / inputs), [&](int64_t begin, int64_t end) {
    dot_products(y.data, outputs, x.data, inputs, rows, w, ldw, b, finish.keep, begin, end);
  });
  if (finish.relu) cpu::relu_forward(ctx, y, y);
}

void linear_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b) {
  product(ctx, y, x, w.data, w.dim(1), b.data, {});
}

void linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                         ConstTensor b) {
  product(ctx, y, x, w.data, w.dim(1), b.data, {.relu = true});
}

/// dx = dy·W and dw = dyᵀ·x, either of which may be unwanted; W and dw have row stride ldw.
static void gradients(const Context& ctx, Gradient dx, Gradient dw, ConstTensor dy, ConstTensor x,
                      const float* w, int64_t ldw) {
  const int64_t rows = x.rows(), inputs = x.cols(), outputs = dy.cols();
  if (dx) {
    onednn::prepared_matmul({Transpose::no, Transpose::no, rows, inputs, outputs, dy.data, outputs,
                             w, ldw, dx.keep(), dx.tensor.data, inputs, nullptr, false,
                             in_bf16(ctx, rows)});
  }
  if (dw) {
    onednn::prepared_matmul({Transpose::yes, Transpose::no, outputs, inputs, rows, dy.data, outputs,
                             x.data, inputs, dw.keep(), dw.tensor.data, ldw, nullptr, false,
                             in_bf16(ctx, rows)});
  }
}

void linear_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                     ConstTensor x, ConstTensor w) {
  gradients(ctx, dx, dw, dy, x, w.data, w.dim(1));
  if (db) sum_groups(db.tensor.data, dy.data, 1, x.rows(), dy.cols(), db.keep());
}

void linear_relu_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                          ConstTensor y, ConstTensor x, ConstTensor w, Tensor dsum) {
  cpu::relu_backward(ctx, overwrite(dsum), dy, y);
  cpu::linear_backward(ctx, dx, dw, db, dsum, x, w);
}

void linear_concat_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor c,
                           ConstTensor w, ConstTensor b, Tensor c_product) {
  const int64_t stride = w.dim(1);
  product(ctx, c_product, c, w.data + x.cols(), stride, b.data, {});
  broadcast_rows(y, c_product.data, x.rows() / c.rows());
  product(ctx, y, x, w.data, stride, nullptr, {.keep = 1.0F});
}

void linear_concat_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                            ConstTensor dy, ConstTensor x, ConstTensor c, ConstTensor w,
                            Tensor dy_sums) {
  const int64_t outputs = dy.cols(), stride = w.dim(1);
  gradients(ctx, dx, dw, dy, x, w.data, stride);
  if (!dw && !db) return;
  sum_groups(dy_sums.data, dy.data, c.rows(), x.rows() / c.rows(), outputs, 0.0F);
  if (dw) {
    onednn::prepared_matmul({Transpose::yes, Transpose::no, outputs, c.cols(), c.rows(),
                             dy_sums.data, outputs, c.data, c.cols(), dw.keep(),
                             dw.tensor.data + x.cols(), stride, nullptr, false,
                             in_bf16(ctx, c.rows())});
  }
  if (db) sum_groups(db.tensor.data, dy_sums.data, 1, c.rows(), outputs, db.keep());
}

}  // namespace dsf::cpu
