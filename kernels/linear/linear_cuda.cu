// Matrix products by cuBLASLt. A product of few rows (one generated frame, a few streams, a batch's
// conditions) is bound by reading W once and is done here: a warp to an output.
#include "kernels/common/column_sums_cuda.h"
#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/resident_blocks.h"
#include "kernels/common/vector.h"
#include "kernels/cublaslt/matmul.h"
#include "kernels/linear/bf16_operands.h"
#include "kernels/linear/linear.h"
#include "kernels/relu/relu.h"

namespace dsf::cuda {

using cublaslt::Transpose;

static constexpr int kFewRows = 16, kOutputsPerBlock = 4;

/// What is done with a product beside adding the bias.
struct LinearFinish {
  float keep = 0;  // of y's old values
  bool relu = false;
};

/// Row m, or, behind the last, that one: it is read once more and not used, so that no load waits
/// for a branch behind another.
__device__ static int64_t inside(int m, int rows) {
  return m < rows ? m : rows - 1;
}

/// y[m, o] = x[m]·w[o] + b[o] + keep·y[m, o], perhaps through a ReLU, for `rows` ≤ `most`; w has
/// row stride ldw.
template <int width, int most>
__global__ static void few_rows_kernel(float* y, const float* x, const float* w, int64_t ldw,
                                       const float* b, LinearFinish finish, int rows, int inputs,
                                       int outputs) {
  const int o = static_cast<int>(blockIdx.x * kOutputsPerBlock + threadIdx.x / kWarpSize);
  if (o >= outputs) return;  // all lanes of the warp
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  float sums[most] = {};
  for (int i = lane * width; i < inputs; i += kWarpSize * width) {
    const Vector<width> weights = load<width>(w + o * ldw + i);
    for (int m = 0; m < most; ++m) {
      const Vector<width> values = load<width>(x + inside(m, rows) * inputs + i);
      for (int k = 0; k < width; ++k) sums[m] += weights[k] * values[k];
    }
  }
  for (int m = 0; m < most; ++m) {
    if (m >= rows) break;
    const float sum = warp_sum(sums[m]);
    if (lane != 0) continue;
    float& out = y[int64_t{m} * outputs + o];
    const float value = sum + (b ? b[o] : 0.0F) + (finish.keep != 0.0F ? finish.keep * out : 0.0F);
    out = finish.relu ? fmaxf(value, 0.0F) : value;
  }
}

/// Whether a product is done here. More than four rows only where sums are short: long ones want
/// the blocks that cuBLASLt splits them among, in two launches.
static bool has_few_rows(int64_t rows, int64_t inputs) {
  return rows <= 4 || (rows <= kFewRows && inputs <= 1024);
}

template <int width>
static auto few_rows_form(int64_t rows) {
  if (rows <= 4) return few_rows_kernel<width, 4>;
  return rows <= 8 ? few_rows_kernel<width, 8> : few_rows_kernel<width, kFewRows>;
}

/// The gradients of linear_backward for `rows` ≤ `most`; W and dw have row stride ldw. The first
/// `strips` blocks have a strip of dx's columns each, the others an element of dw a thread, or,
/// where dw is not wanted, of db.
template <int most>
__global__ static void __launch_bounds__(ColumnSums::kThreads, most > 8 ? 1 : resident_blocks(2, 1))
    few_rows_gradient_kernel(Gradient dx, Gradient dw, Gradient db, const float* dy, const float* x,
                             const float* w, int64_t ldw, int rows, int inputs, int outputs,
                             ColumnSums weights, int strips) {
  if (static_cast<int>(blockIdx.x) < strips) {  // all of the block
    float sums[most] = {};
    const int i = weights.column();
    const bool mine = weights.add_up(sums, [&](int64_t o, int64_t) {
      const float weight = w[o * ldw + i];
      for (int m = 0; m < most; ++m) sums[m] += dy[inside(m, rows) * outputs + o] * weight;
    });
    if (!mine) return;
    for (int m = 0; m < most; ++m) {
      if (m < rows) put(dx, int64_t{m} * inputs + i, sums[m]);
    }
    return;
  }
  const int64_t block = static_cast<int>(blockIdx.x) - strips;
  const int64_t at = (block * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int cols = dw.tensor.data ? inputs : 1;
  const int64_t o = at / cols, i = at % cols;
  if (o >= outputs) return;
  float sum = 0, product = 0;
  for (int m = 0; m < most; ++m) {
    const float gradient = m < rows ? dy[inside(m, rows) * outputs + o] : 0.0F;
    sum += gradient;
    if (dw.tensor.data) product += gradient * x[inside(m, rows) * inputs + i];
  }
  if (dw.tensor.data) put(dw, o * ldw + i, product);
  if (db.tensor.data && i == 0) put(db, o, sum);
}

static void few_rows_gradients(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                               ConstTensor dy, ConstTensor x, const float* w, int64_t ldw) {
  const int64_t rows = x.rows(), inputs = x.cols(), outputs = dy.cols();
  const ColumnSums weights(outputs, inputs, 1);
  const dim3 threads = ColumnSums::threads();
  const int64_t strips = dx ? weights.blocks().size.x : 0;
  const int64_t elements = dw ? outputs * inputs : db ? outputs : 0;
  const int64_t blocks = strips + divide_up(elements, int64_t{threads.x} * threads.y);
  if (blocks == 0) return;
  const auto form = rows <= 4   ? few_rows_gradient_kernel<4>
                    : rows <= 8 ? few_rows_gradient_kernel<8>
                                : few_rows_gradient_kernel<kFewRows>;
  launch(form, blocks, threads, 0, stream_of(ctx), dx, dw, db, dy.data, x.data, w, ldw,
         static_cast<int>(rows), static_cast<int>(inputs), static_cast<int>(outputs), weights,
         static_cast<int>(strips));
}

/// Fills the rows of y with row r/repeat of `source`.
__global__ static void broadcast_rows_kernel(float* y, const float* source, int64_t size,
                                             int64_t repeat, int cols) {
  const int64_t at = first_element<1>();
  if (at < size) y[at] = source[element_of_shared_row(at, repeat, cols)];
}

__global__ static void __launch_bounds__(ColumnSums::kThreads, 1)
    sums_kernel(Gradient sums, const float* x, ColumnSums rows) {
  float sum[1] = {};
  const bool mine = rows.add_up(sum, [&](int64_t, int64_t at) { sum[0] += x[at]; });
  if (mine) put(sums, rows.place(), sum[0]);
}

/// sums [groups, cols] = Σ of x over the rows of each of `groups` groups of consecutive rows.
static void sum_groups(const Context& ctx, Gradient sums, ConstTensor x, int64_t groups) {
  const ColumnSums rows(x.rows(), x.cols(), groups);
  launch(sums_kernel, rows.blocks(), ColumnSums::threads(), 0, stream_of(ctx), sums, x.data, rows);
}

/// y = x·Wᵀ + b + keep·y (b may be null); w has row stride ldw.
static void product(const Context& ctx, Tensor y, ConstTensor x, const float* w, int64_t ldw,
                    const float* b, LinearFinish finish) {
  const int64_t rows = x.rows(), inputs = x.cols(), outputs = y.cols();
  if (!has_few_rows(rows, inputs)) {
    cublaslt::Product whole = {Transpose::no, Transpose::yes, rows, outputs,    inputs,
                               x.data,        inputs,         w,    ldw,        finish.keep,
                               y.data,        outputs,        b,    finish.relu};
    cublaslt::Product none;
    round_operands(ctx, whole, none);
    cublaslt::matmul(ctx, whole);
    return;
  }
  const bool vectors = fits_vectors(inputs, {x.data, w}) && ldw % 4 == 0;
  launch(vectors ? few_rows_form<4>(rows) : few_rows_form<1>(rows),
         divide_up(outputs, kOutputsPerBlock), kOutputsPerBlock * kWarpSize, 0, stream_of(ctx),
         y.data, x.data, w, ldw, b, finish, static_cast<int>(rows), static_cast<int>(inputs),
         static_cast<int>(outputs));
}

void linear_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w, ConstTensor b) {
  product(ctx, y, x, w.data, w.dim(1), b.data, {});
}

void linear_relu_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor w,
                         ConstTensor b) {
  product(ctx, y, x, w.data, w.dim(1), b.data, {0.0F, true});
}

/// What dy is made of behind a ReLU.
struct BehindRelu {
  Tensor dy;  // still to be made
  ConstTensor of, y;
};

/// The gradients; any may be unwanted. dx = dy·W, where W has row stride ldw; dw = dyᵀ·x, with that
/// stride too, and with it, where the product can, db = Σ_m dy. With `relu` dy is made first,
/// unless only copies rounded to bf16 are read: then those are made, in one pass.
static void gradients(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                      ConstTensor x, const float* w, int64_t ldw, const BehindRelu* relu) {
  const auto make_dy = [&] {
    if (relu) cuda::relu_backward(ctx, overwrite(relu->dy), relu->of, relu->y);
    relu = nullptr;
  };
  if (x.rows() <= kFewRows) {
    make_dy();
    few_rows_gradients(ctx, dx, dw, db, dy, x, w, ldw);
    return;
  }
  const int64_t rows = x.rows(), inputs = x.cols(), outputs = dy.cols();
  cublaslt::Product input, weight;  // of nothing
  if (dx) {
    input = {Transpose::no, Transpose::no, rows,           inputs, outputs, dy.data, outputs, w,
             ldw,           dx.keep(),     dx.tensor.data, inputs};
  }
  if (dw) {
    weight = {Transpose::yes, Transpose::no, outputs, inputs,    rows,           dy.data,
              outputs,        x.data,        inputs,  dw.keep(), dw.tensor.data, ldw};
  }
  const Bf16Mask mask = relu ? Bf16Mask{dy.data, relu->of.data, relu->y.data} : Bf16Mask{};
  round_operands(ctx, input, weight, mask);
  const auto reads_copies = [&](const cublaslt::Product& p) {
    return p.m == 0 || (p.a_rounded.data && cublaslt::takes_copies(ctx, p));
  };
  if (!reads_copies(input) || !reads_copies(weight)) make_dy();
  cublaslt::matmul(ctx, input);
  if (dw && db.mode == GradientMode::overwrite) weight.a_sums = db.tensor.data;
  if (weight.a_sums && !cublaslt::can_sum(ctx, weight)) weight.a_sums = nullptr;
  cublaslt::matmul(ctx, weight);
  if (!db || weight.a_sums) return;
  make_dy();
  sum_groups(ctx, db, dy, 1);
}

void linear_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                     ConstTensor x, ConstTensor w) {
  gradients(ctx, dx, dw, db, dy, x, w.data, w.dim(1), nullptr);
}

void linear_relu_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db, ConstTensor dy,
                          ConstTensor y, ConstTensor x, ConstTensor w, Tensor dsum) {
  const BehindRelu relu{dsum, dy, y};
  gradients(ctx, dx, dw, db, dsum, x, w.data, w.dim(1), &relu);
}

void linear_concat_forward(const Context& ctx, Tensor y, ConstTensor x, ConstTensor c,
                           ConstTensor w, ConstTensor b, Tensor c_product) {
  const int64_t stride = w.dim(1);
  product(ctx, c_product, c, w.data + x.cols(), stride, b.data, {});
  launch(broadcast_rows_kernel, element_blocks(y.size(), false), kElementThreads, 0, stream_of(ctx),
         y.data, c_product.data, y.size(), x.rows() / c.rows(), static_cast<int>(y.cols()));
  product(ctx, y, x, w.data, stride, nullptr, {1.0F});
}

void linear_concat_backward(const Context& ctx, Gradient dx, Gradient dw, Gradient db,
                            ConstTensor dy, ConstTensor x, ConstTensor c, ConstTensor w,
                            Tensor dy_sums) {
  gradients(ctx, dx, dw, Gradient{}, dy, x, w.data, w.dim(1), nullptr);
  if (!dw && !db) return;
  sum_groups(ctx, overwrite(dy_sums), dy, c.rows());
  if (dw) dw.tensor.data += x.cols();  // the condition's columns
  gradients(ctx, Gradient{}, dw, db, dy_sums, c, nullptr, w.dim(1), nullptr);
}

}  // namespace dsf::cuda
