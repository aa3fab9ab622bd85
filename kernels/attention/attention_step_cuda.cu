#include <cfloat>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"
#include "kernels/common/counter_cuda.h"

namespace dsf::cuda {

// A block to a head of a stream, 8 lanes to an entry of the rings. Every key and value is read
// once, for 4 FLOP per 8 bytes: with many streams memory limits (8·count·E bytes a stream), with
// one the latency of reads. So lanes read several entries, keys and values, before they look at a
// score: a second at 86 frames a second in one go.
static constexpr int kGroups = kWarpSize, kStepThreads = kGroups * kRowLanes, kEntries = 3;

// A block an SM is enough: left to itself ptxas spills, to fit in five (32 channels, sm_120).
template <int size, int width>
__global__ static void __launch_bounds__(kStepThreads, 1)
    step_kernel(float* y, const float* q, const float* keys, const float* values, Counter frame,
                int entries, int64_t stride, int head_size, float scale) {
  constexpr int parts = size / (kRowLanes * width);
  const int64_t seen = value_of(frame) + 1;
  const int count = seen < entries ? static_cast<int>(seen) : entries;
  DSF_SHARED(float, mixtures, kGroups* size);
  DSF_SHARED(float, largest_of, kGroups);
  DSF_SHARED(float, sum_of, kGroups);
  const int64_t head = int64_t{blockIdx.x} * head_size;
  const int group = static_cast<int>(threadIdx.x) / kRowLanes;
  const auto channel = [](int part) { return (lane_column() + part * kRowLanes) * width; };
  const auto read = [&](Vector<width>(&to)[parts], const float* row, bool wanted) {
    for (int part = 0; part < parts; ++part) {
      to[part] = Vector<width>{};
      if (wanted && channel(part) < head_size) to[part] = load<width>(row + channel(part));
    }
  };

  // Each group of 8 lanes has a softmax of its own entries. Not −∞: a group may have none.
  float largest = -FLT_MAX, sum = 0;
  Vector<width> query[parts], mixture[parts]{};
  read(query, q + head, true);
  for (int entry = group; entry - group < count; entry += kEntries * kGroups) {
    Vector<width> key[kEntries][parts], value[kEntries][parts];
    for (int i = 0; i < kEntries; ++i) {
      const int64_t at = (entry + i * kGroups) * stride + head;
      read(key[i], keys + at, entry + i * kGroups < count);
      read(value[i], values + at, entry + i * kGroups < count);
    }
    float score[kEntries], larger = largest;
    for (int i = 0; i < kEntries; ++i) {
      score[i] = 0;
      for (int part = 0; part < parts; ++part) {
        for (int n = 0; n < width; ++n) score[i] += query[part][n] * key[i][part][n];
      }
      score[i] = row_reduce(score[i], Add{});
      if (entry + i * kGroups >= count) score[i] = -INFINITY;
      larger = fmaxf(larger, score[i]);
    }
    const float shrink = expf((largest - larger) * scale);
    largest = larger;
    sum *= shrink;
    for (auto& values_of_part : mixture) {
      for (int n = 0; n < width; ++n) values_of_part[n] *= shrink;
    }
    for (int i = 0; i < kEntries; ++i) {
      const float p = expf((score[i] - largest) * scale);
      sum += p;
      for (int part = 0; part < parts; ++part) {
        for (int n = 0; n < width; ++n) mixture[part][n] += p * value[i][part][n];
      }
    }
  }

  // Then the groups become one, in the order of their numbers.
  for (int part = 0; part < parts; ++part) {
    store(mixtures + group * size + channel(part), mixture[part]);
  }
  if (lane_column() == 0) {
    largest_of[group] = largest;
    sum_of[group] = sum;
  }
  __syncthreads();
  if (threadIdx.x >= size) return;  // whole warps
  const unsigned lane = threadIdx.x % kWarpSize;
  const float weight = expf((largest_of[lane] - warp_max(largest_of[lane])) * scale);
  const float inverse = 1.0F / warp_sum(weight * sum_of[lane]);
  float mixed = 0;
  for (int i = 0; i < kGroups; ++i) {
    mixed += __shfl_sync(kAllLanes, weight, i) * mixtures[i * size + static_cast<int>(threadIdx.x)];
  }
  if (static_cast<int>(threadIdx.x) < head_size) y[head + threadIdx.x] = mixed * inverse;
}

void attention_step_forward(const Context& ctx, Tensor y, ConstTensor q, ConstTensor keys,
                            ConstTensor values, Counter frame, int64_t heads) {
  const int head_size = static_cast<int>(q.cols() / heads);
  const int padded = padded_head_size(head_size);
  const bool vectors = fits_vectors(head_size, {q.data, keys.data, values.data});
  launch(vectors ? for_head_size(padded, step_kernel<32, 4>, step_kernel<64, 4>, step_kernel<96, 4>,
                                 step_kernel<128, 4>)
                 : for_head_size(padded, step_kernel<32, 1>, step_kernel<64, 1>, step_kernel<96, 1>,
                                 step_kernel<128, 1>),
         q.rows() * heads, kStepThreads, 0, stream_of(ctx), y.data, q.data, keys.data, values.data,
         frame, static_cast<int>(keys.dim(0)), q.size(), head_size,
         1.0F / sqrtf(static_cast<float>(head_size)));
}

}  // namespace dsf::cuda
