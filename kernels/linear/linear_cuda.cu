// Matrix products by cuBLASLt. A product of few rows (one generated frame, a few streams) is bound
// by reading W once and is done here: a warp to an output.
#include "kernels/common/column_sums_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "kernels/cublaslt/matmul.h"
#include "kernels/linear/linear.h"

namespace dsf::cuda {

using cublaslt::Transpose;

static constexpr int kFewRows = 4, kOutputsPerBlock = 4;

/// What is done with a product beside adding the bias.
struct LinearFinish {
  float keep = 0;  // of y's old values
  bool relu = false;
};

/// y[m, o] = x[m]·w[o] + b[o] + keep·y[m, o], perhaps through a ReLU, for `rows` ≤ kFewRows; w has
/// row stride ldw.
template <int width>
__global__ static void few_rows_kernel(float* y, const float* x, const float* w, int64_t ldw,
                                       const float* b, LinearFinish finish, int rows, int inputs,
                                       int outputs) {
  const int o = static_cast<int>(blockIdx.x * kOutputsPerBlock + threadIdx.x / kWarpSize);
  if (o >= outputs) return;  // all lanes of the warp
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  float sums[kFewRows] = {};
  for (int i = lane * width; i < inputs; i += kWarpSize * width) {
    const Vector<width> weights = load<width>(w + o * ldw + i);
    for (int m = 0; m < kFewRows; ++m) {
      if (m >= rows) break;
      const Vector<width> values = load<width>(x + int64_t{m} * inputs + i);
      for (int k = 0; k < width; ++k) sums[m] += weights[k] * values[k];
    }
  }
  for (int m = 0; m < kFewRows; ++m) {
    if (m >= rows) break;
    const float sum = warp_sum(sums[m]);
    if (lane != 0) continue;
    float& out = y[int64_t{m} * outputs + o];
    const float value = sum + (b ? b[o] : 0.0F) + (finish.keep != 0.0F ? finish.keep * out : 0.0F);
    out = finish.relu ? fmaxf(value, 0.0F) : value;
  }
}

/// Fills the rows of y with row r/repeat of `source`.
__global__ static void broadcast_rows_kernel(float* y, const float* source, int64_t size,
                                             int64_t repeat, int cols) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= size) return;
  y[at] = source[at / cols / repeat * cols + at % cols];
}

__global__ static void sums_kernel(float* sums, bool accumulate, const float* x, ColumnSums rows) {
  float sum[1] = {};
  const bool mine = rows.add_up(sum, [&](int64_t, int64_t at) { sum[0] += x[at]; });
  if (mine) sums[rows.place()] = sum[0] + (accumulate ? sums[rows.place()] : 0.0F);
}

/// sums [groups, cols] = Σ of x over the rows of each of `groups` groups of consecutive rows.
static void sum_groups(const Context& ctx, Gradient sums, ConstTensor x, int64_t groups) {
  const ColumnSums rows(x.rows(), x.cols(), groups);
  launch(sums_kernel, rows.blocks(), ColumnSums::threads(), 0, stream_of(ctx), sums.tensor.data,
         sums.mode == GradientMode::accumulate, x.data, rows);
}

/// y = x·Wᵀ + b + keep·y (b may be null); w has row stride ldw.
static void product(const Context& ctx, Tensor y, ConstTensor x, const float* w, int64_t ldw,
                    const float* b, LinearFinish finish) {
  const int64_t rows = x.rows(), inputs = x.cols(), outputs = y.cols();
  if (rows > kFewRows) {
    cublaslt::matmul(ctx, {Transpose::no, Transpose::yes, rows, outputs, inputs, x.data, inputs, w,
                           ldw, finish.keep, y.data, outputs, b, finish.relu});
    return;
  }
  const bool vectors = fits_vectors(inputs, {x.data, w}) && ldw % 4 == 0;
  launch(vectors ? few_rows_kernel<4> : few_rows_kernel<1>, divide_up(outputs, kOutputsPerBlock),
         kOutputsPerBlock * kWarpSize, 0, stream_of(ctx), y.data, x.data, w, ldw, b, finish,
         static_cast<int>(rows), static_cast<int>(inputs), static_cast<int>(outputs));
}

void linear_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b) {
  product(ctx, y, x, w.data, w.dim(1), b.data, {});
}

void linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                         ConstTensor b) {
  product(ctx, y, x, w.data, w.dim(1), b.data, {0.0F, true});
}

/// dx = dy·W, where W has row stride ldw.
static void input_gradient(const Context& ctx, Gradient dx, ConstTensor dy, const float* w,
                           int64_t ldw) {
  const int64_t inputs = dx.tensor.cols(), outputs = dy.cols();
  cublaslt::matmul(ctx, {Transpose::no, Transpose::no, dy.rows(), inputs, outputs, dy.data, outputs,
                         w, ldw, dx.keep(), dx.tensor.data, inputs});
}

/// dw = dyᵀ·x, from column `first` on of rows of `ldw`, and db = Σ_m dy, with the product where it
/// can. Either may be unwanted.
static void parameter_gradients(const Context& ctx, Gradient dw, int64_t first, int64_t ldw,
                                Gradient db, ConstTensor dy, ConstTensor x) {
  const int64_t inputs = x.cols(), outputs = dy.cols();
  if (dw) {
    cublaslt::Product product = {Transpose::yes,
                                 Transpose::no,
                                 outputs,
                                 inputs,
                                 x.rows(),
                                 dy.data,
                                 outputs,
                                 x.data,
                                 inputs,
                                 dw.keep(),
                                 dw.tensor.data + first,
                                 ldw};
    if (db.mode == GradientMode::overwrite) product.a_sums = db.tensor.data;
    if (product.a_sums && !cublaslt::can_sum(ctx, product)) product.a_sums = nullptr;
    cublaslt::matmul(ctx, product);
    if (product.a_sums) return;
  }
  if (db) sum_groups(ctx, db, dy, 1);
}

void linear_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                     ConstTensor x, ConstTensor w) {
  if (dx) input_gradient(ctx, dx, dy, w.data, w.dim(1));
  parameter_gradients(ctx, dw, 0, w.dim(1), db, dy, x);
}

void linear_concat_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor c,
                           ConstTensor w, ConstTensor b, Tensor c_product) {
  constexpr int kThreads = 256;
  const int64_t stride = w.dim(1);
  product(ctx, c_product, c, w.data + x.cols(), stride, b.data, {});
  launch(broadcast_rows_kernel, divide_up(y.size(), kThreads), kThreads, 0, stream_of(ctx), y.data,
         c_product.data, y.size(), x.rows() / c.rows(), static_cast<int>(y.cols()));
  product(ctx, y, x, w.data, stride, nullptr, {1.0F});
}

void linear_concat_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                            ConstTensor dy, ConstTensor x, ConstTensor c, ConstTensor w,
                            Tensor dy_sums) {
  const int64_t stride = w.dim(1);
  if (dx) input_gradient(ctx, dx, dy, w.data, stride);
  parameter_gradients(ctx, dw, 0, stride, Gradient{}, dy, x);
  if (!dw && !db) return;
  sum_groups(ctx, overwrite(dy_sums), dy, c.rows());
  parameter_gradients(ctx, dw, x.cols(), stride, db, dy_sums, c);
}

}  // namespace dsf::cuda
