#include <cfloat>

#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
#include "kernels/common/vector.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace dsf::cuda {

namespace {

/// The largest of some logits and Σ exp(logit − largest), gathered in one pass over them.
struct Denominator {
  float largest = -FLT_MAX;  // finite: −∞ − −∞ would be NaN
  float sum = 0;

  template <int width>
  __device__ void add(const Vector<width>& logits) {
    const float before = largest;
    for (int k = 0; k < width; ++k) largest = fmaxf(largest, logits[k]);
    sum *= expf(before - largest);
    for (int k = 0; k < width; ++k) sum += expf(logits[k] - largest);
  }
  /// That of the logits of all lanes.
  __device__ Denominator of_warp() const {
    const float whole = warp_max(largest);
    return {whole, warp_sum(sum * expf(largest - whole))};
  }
};

}  // namespace

// A warp to a row.
static constexpr int kRowsPerBlock = 4, kRowThreads = kRowsPerBlock * kWarpSize;

/// dlogits may be null, or the logits: a lane reads what it writes before it writes it.
template <int width>
__global__ static void row_kernel(float* losses, float* dlogits, bool accumulate, float scale,
                                  const float* logits, const int32_t* targets, int64_t rows,
                                  int cols) {
  const int64_t row = int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarpSize;
  if (row >= rows) return;  // all lanes of the warp
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const float* in = logits + row * cols;

  Denominator mine;
  for (int i = lane * width; i < cols; i += kWarpSize * width) mine.add(load<width>(in + i));
  const int target = targets[row];
  const bool exists = target >= 0 && target < cols, counts = target != kNoTarget;
  const float at_target = exists ? in[target] : NAN;
  __syncwarp();  // read before other lanes write over it
  const Denominator whole = mine.of_warp();
  if (lane == 0) losses[row] = counts ? logf(whole.sum) + whole.largest - at_target : 0;
  if (!dlogits) return;

  const float factor = exists ? scale / whole.sum : counts ? NAN : 0;
  float* out = dlogits + row * cols;
  for (int i = lane * width; i < cols; i += kWarpSize * width) {
    Vector<width> values = load<width>(in + i);
    for (int k = 0; k < width; ++k) {
      values[k] = expf(values[k] - whole.largest) * factor - (i + k == target ? scale : 0.0F);
    }
    if (accumulate) {
      const Vector<width> old = load<width>(out + i);
      for (int k = 0; k < width; ++k) values[k] += old[k];
    }
    store(out + i, values);
  }
}

static constexpr int kMeanThreads = 1024;

__global__ static void __launch_bounds__(kMeanThreads)
    mean_kernel(float* mean, const float* values, int64_t count, int64_t counted) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kMeanThreads) sum += static_cast<double>(values[i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) *mean = static_cast<float>(sum / static_cast<double>(counted));
}

static void run(const Context& ctx, Tensor loss, Tensor losses, const Gradient& dlogits,
                ConstTensor logits, ConstIndexTensor targets, int64_t counted) {
  const int64_t rows = logits.rows();
  const bool vectors = fits_vectors(logits.cols(), {dlogits.tensor.data, logits.data});
  launch(vectors ? row_kernel<4> : row_kernel<1>, divide_up(rows, kRowsPerBlock), kRowThreads, 0,
         stream_of(ctx), losses.data, dlogits.tensor.data, dlogits.mode == GradientMode::accumulate,
         1.0F / static_cast<float>(counted), logits.data, targets.data, rows,
         static_cast<int>(logits.cols()));
  launch(mean_kernel, 1, kMeanThreads, 0, stream_of(ctx), loss.data, losses.data, rows, counted);
}

void cross_entropy_forward(const Context& ctx, Tensor loss, Tensor losses, ConstTensor logits,
                           ConstIndexTensor targets, int64_t counted) {
  run(ctx, loss, losses, Gradient{}, logits, targets, counted);
}

void cross_entropy_forward_backward(const Context& ctx, Tensor loss, Tensor losses,
                                    Gradient dlogits, ConstTensor logits, ConstIndexTensor targets,
                                    int64_t counted) {
  run(ctx, loss, losses, dlogits, logits, targets, counted);
}

}  // namespace dsf::cuda
