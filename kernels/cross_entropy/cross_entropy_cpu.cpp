#include <cmath>

#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"
#include "kernels/common/vector_math.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace dsf::cpu {

static DSF_INLINE float largest_of(const float* row, int64_t count) {
  float largest = row[0];
#pragma omp simd reduction(max : largest)
  for (int64_t v = 0; v < count; ++v) largest = row[v] > largest ? row[v] : largest;
  return largest;
}

/// Σ exp(x − largest). Its terms are put into `terms`, unless that is null; it may be the row
/// itself, as an element is read before it is written.
static DSF_INLINE float sum_of_terms(float* terms, const float* row, int64_t count, float largest) {
  float sum = 0;
  if (terms) {
#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < count; ++v) {
      const float term = fast_exp(row[v] - largest);
      terms[v] = term;
      sum += term;
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < count; ++v) sum += fast_exp(row[v] - largest);
  }
  return sum;
}

/// Losses of rows begin … end, and, unless `dlogits` is null, their gradients times `scale`.
DSF_MULTIVERSION static void loss_rows(float* losses, float* dlogits, bool add, float scale,
                                       const float* logits, const int32_t* targets, int64_t count,
                                       int64_t begin, int64_t end) {
  for (int64_t m = begin; m < end; ++m) {
    const float* row = logits + m * count;
    const bool counts = targets[m] != kNoTarget;
    const float wanted = counts ? row[targets[m]] : 0.0F;  // before the row is overwritten
    float* out = dlogits ? dlogits + m * count : nullptr;
    const float largest = largest_of(row, count);
    const float sum = sum_of_terms(add ? nullptr : out, row, count, largest);
    losses[m] = counts ? std::log(sum) + largest - wanted : 0.0F;
    if (!out) continue;
    const float factor = counts ? scale / sum : 0.0F;
    if (add) {
#pragma omp simd
      for (int64_t v = 0; v < count; ++v) out[v] += fast_exp(row[v] - largest) * factor;
    } else {
#pragma omp simd
      for (int64_t v = 0; v < count; ++v) out[v] *= factor;
    }
    if (counts) out[targets[m]] -= scale;
  }
}

static void run(Tensor loss, Tensor losses, const Gradient& dlogits, ConstTensor logits,
                ConstIndexTensor targets, int64_t counted) {
  const int64_t rows = logits.rows(), count = logits.cols();
  int64_t found = 0;
  for (int64_t m = 0; m < rows; ++m) {
    if (targets[m] == kNoTarget) continue;
    DSF_CHECK(targets[m] >= 0 && targets[m] < count, "target {} in row {}, {} classes", targets[m],
              m, count);
    ++found;
  }
  DSF_CHECK(found == counted, "{} of {} targets, expected {}", found, rows, counted);
  const bool add = dlogits.mode == GradientMode::accumulate;
  parallel_for(rows, 8192 / count + 1, [&](int64_t begin, int64_t end) {
    loss_rows(losses.data, dlogits.tensor.data, add, 1.0F / static_cast<float>(counted),
              logits.data, targets.data, count, begin, end);
  });
  double sum = 0;
  for (int64_t m = 0; m < rows; ++m) sum += losses[m];
  loss[0] = static_cast<float>(sum / static_cast<double>(counted));
}

void cross_entropy_forward(const Context&, Tensor loss, Tensor losses, ConstTensor logits,
                           ConstIndexTensor targets, int64_t counted) {
  run(loss, losses, Gradient{}, logits, targets, counted);
}

void cross_entropy_forward_backward(const Context&, Tensor loss, Tensor losses, Gradient dlogits,
                                    ConstTensor logits, ConstIndexTensor targets, int64_t counted) {
  run(loss, losses, dlogits, logits, targets, counted);
}

}  // namespace dsf::cpu
