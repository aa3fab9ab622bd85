#pragma once
// A frame's attention within its kernel: a block to a part of the entries of a head, and what comes
// of the parts. The rings' entries are on their way to shared memory before the query is there.
#include "kernels/common/hand_over.h"
#include "kernels/decode_step/step_cuda.h"
#include "kernels/rope/head_angle_cuda.h"

namespace dsf::cuda {

/// cos and sin of the position's angles, once per frame, by the threads that have least to do else.
__device__ inline void make_rope_tables(const Step& step, const Arrays& at) {
  const int planes = step.sizes.head_size / 2;
  for (int plane = kThreads - 1 - static_cast<int>(threadIdx.x); plane < planes;
       plane += kThreads) {
    const double angle = head_angle(value_of(step.position), plane, planes);
    shared(at.cosines)[plane] = static_cast<float>(cos(angle));
    shared(at.sines)[plane] = static_cast<float>(sin(angle));
  }
}

/// What of attention a block does at a time: a stream's head, and of its entries those of a part.
struct AttentionTask {
  int stream, head, part;
  int begin, end, own;  // slots of the ring; the frame's own
  int first_stream;     // of the rings' streams, that of number 0 here

  __device__ AttentionTask(const Step& step, int number) {
    first_stream = step.first_stream;
    part = number % kParts;
    head = number / kParts % step.sizes.heads;
    stream = number / kParts / step.sizes.heads;
    const int64_t frame = value_of(step.frame);
    const int window = step.sizes.window;
    own = static_cast<int>(frame % window);
    const int count = frame < window ? own + 1 : window;
    const int entries = (count + kParts - 1) / kParts;
    begin = min(part * entries, count);
    end = min(begin + entries, count);
  }
  __device__ bool has_own() const { return own >= begin && own < end; }
  /// Of this head in row `row` of [rows, E].
  __device__ int64_t offset(const StepSizes& sizes, int64_t row) const {
    return row * sizes.embed + int64_t{head} * sizes.head_size;
  }
  /// In the rings.
  __device__ int64_t slot(const StepSizes& sizes, int64_t entry) const {
    return offset(sizes, entry * sizes.all_streams + first_stream + stream);
  }
};

__device__ inline int attention_tasks(const StepSizes& sizes) {
  return sizes.streams * sizes.heads * kParts;
}

/// Sends for the entries of a task, all but the frame's own, as many as are kept.
template <int width>
__device__ void fetch_entries(const Step& step, const StepLayer& layer, const Arrays& at,
                              const AttentionTask& task) {
  const int size = step.sizes.head_size, count = min(task.end - task.begin, at.kept) * size;
  for (int i = static_cast<int>(threadIdx.x) * width; i < count; i += kThreads * width) {
    const int entry = task.begin + i / size;
    if (entry == task.own) continue;
    const int64_t from = task.slot(step.sizes, entry) + i % size;
    __pipeline_memcpy_async(shared(at.keys) + i, layer.keys + from, width * sizeof(float));
    __pipeline_memcpy_async(shared(at.values) + i, layer.values + from, width * sizeof(float));
  }
  __pipeline_commit();
}

/// Channel `c` of a head, turned by the position.
__device__ inline float take_rotated(const Step& step, const Arrays& at, const float* head, int c) {
  const int planes = step.sizes.head_size / 2;  // 0 of a head of one channel
  const bool turned = c < 2 * planes, first = c < planes;
  Vector<1> pair[2];
  const int other = !turned ? c : first ? c + planes : c - planes;
  await<1>({head + c, head + other}, pair);
  if (!turned) return pair[0][0];
  const int plane = first ? c : c - planes;
  const float cosine = shared(at.cosines)[plane], sine = shared(at.sines)[plane];
  return first ? pair[0][0] * cosine - pair[1][0] * sine : pair[1][0] * sine + pair[0][0] * cosine;
}

/// Brings the query to shared memory and, to whose part they belong, the frame's key and value to
/// their rings and to the entries that are kept.
__device__ inline void take_query(const Step& step, const StepLayer& layer, const Arrays& at,
                                  const Exchange& offsets, const float* exchange,
                                  const AttentionTask& task) {
  const int size = step.sizes.head_size;
  const int64_t head = task.offset(step.sizes, task.stream);
  const int64_t slot = task.slot(step.sizes, task.own);
  const int place = (task.own - task.begin) * size;
  const bool is_kept = task.own - task.begin < at.kept;
  for (int i = static_cast<int>(threadIdx.x); i < (task.has_own() ? 3 : 1) * size; i += kThreads) {
    const int c = i % size;
    if (i < size) {
      shared(at.query)[c] = take_rotated(step, at, exchange + offsets.query + head, c);
    } else if (i < 2 * size) {
      const float key = take_rotated(step, at, exchange + offsets.key + head, c);
      layer.keys[slot + c] = key;
      if (is_kept) shared(at.keys)[place + c] = key;
    } else {
      Vector<1> value[1];
      await<1>({exchange + offsets.value + head + c}, value);
      layer.values[slot + c] = value[0][0];
      if (is_kept) shared(at.values)[place + c] = value[0][0];
    }
  }
}

/// Scores of the query with the task's entries, some lanes to an entry.
template <int width>
__device__ void score(const Step& step, const Arrays& at, const float* keys,
                      const AttentionTask& task) {
  constexpr int lanes = 8, groups = kThreads / lanes;
  const int size = step.sizes.head_size, count = task.end - task.begin;
  const int group = static_cast<int>(threadIdx.x) / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (int first = 0; first < count; first += groups) {  // all lanes of the warp
    const int entry = min(first + group, count - 1);     // the last again: not stored
    const float* const key = entry < at.kept ? shared(at.keys) + entry * size
                                             : keys + task.slot(step.sizes, task.begin + entry);
    float sum = 0;
    for (int c = lane * width; c < size; c += lanes * width) {
      const Vector<width> a = load<width>(shared(at.query) + c), b = load<width>(key + c);
      for (int n = 0; n < width; ++n) sum += a[n] * b[n];
    }
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(kAllLanes, sum, distance);
    }
    if (lane == 0 && first + group < count) shared(at.scores)[first + group] = sum * step.scale;
  }
}

/// Hands over the values' mixture: threads share out channels and, among those of a channel,
/// entries.
template <int width>
__device__ void mix(const Step& step, const Arrays& at, const float* values,
                    const Exchange& offsets, float* exchange, const AttentionTask& task) {
  const int size = step.sizes.head_size, count = task.end - task.begin;
  const float* const scores = shared(at.scores);
  float largest = -INFINITY;  // each warp finds it itself: cheaper than barriers
  for (int i = lane_of_warp(); i < count; i += kWarpSize) largest = fmaxf(largest, scores[i]);
  largest = warp_max(largest);

  const int vectors = size / width, shares = kThreads / vectors;
  const int channel = static_cast<int>(threadIdx.x) % vectors * width;
  const int share = static_cast<int>(threadIdx.x) / vectors;
  float* const mixtures = shared(at.operands);
  if (share < shares) {
    Vector<width> mixture{};
    for (int entry = share; entry < count; entry += shares) {
      const float weight = expf(scores[entry] - largest);
      const float* const row = entry < at.kept ? shared(at.values) + entry * size
                                               : values + task.slot(step.sizes, task.begin + entry);
      const Vector<width> value = load<width>(row + channel);
      for (int n = 0; n < width; ++n) mixture[n] += weight * value[n];
    }
    store(mixtures + share * size + channel, mixture);
  }
  if (warp_of_block() == kWarps - 1) {  // least likely to have channels to add up
    float sum = 0;
    for (int i = lane_of_warp(); i < count; i += kWarpSize) sum += expf(scores[i] - largest);
    sum = warp_sum(sum);
    float* const weights =
        exchange + offsets.weights + (task.stream * step.sizes.heads + task.head) * 2 * kParts;
    if (lane_of_warp() == 0) {
      hand_over(weights + task.part, largest);
      hand_over(weights + kParts + task.part, sum);
    }
  }
  __syncthreads();
  float* const mixed = exchange + offsets.mixtures +
                       task.offset(step.sizes, task.part * step.sizes.streams + task.stream);
  for (int c = static_cast<int>(threadIdx.x); c < size; c += kThreads) {
    float total = 0;
    for (int i = 0; i < min(shares, count); ++i) total += mixtures[i * size + c];
    hand_over(mixed + c, total);
  }
}

/// A block's tasks; the entries of the first are under way.
template <int width>
__device__ void attend(const Step& step, const StepLayer& layer, const Arrays& at,
                       const Exchange& offsets, float* exchange, const AttentionTask& first) {
  AttentionTask task = first;
  for (int number = static_cast<int>(blockIdx.x); number < attention_tasks(step.sizes);
       number += static_cast<int>(gridDim.x)) {
    if (number >= static_cast<int>(gridDim.x)) {
      task = AttentionTask(step, number);
      __syncthreads();  // those of the task before have been read
      fetch_entries<width>(step, layer, at, task);
    }
    take_query(step, layer, at, offsets, exchange, task);
    __pipeline_wait_prior(0);
    __syncthreads();
    score<width>(step, at, layer.keys, task);
    __syncthreads();
    mix<width>(step, at, layer.values, offsets, exchange, task);
  }
}

/// Brings the columns of attention's result that a block needs to its operands.
template <int width>
__device__ void take_mixed(const Step& step, const Arrays& at, const Exchange& offsets,
                           const float* exchange, const BlockColumns& columns) {
  const StepSizes& sizes = step.sizes;
  const int64_t part_stride = int64_t{sizes.streams} * sizes.embed;
  for (int i = static_cast<int>(threadIdx.x) * width; i < sizes.streams * columns.count;
       i += kThreads * width) {
    const int stream = i / columns.count, column = columns.begin + i % columns.count;
    const float* const mixture =
        exchange + offsets.mixtures + int64_t{stream} * sizes.embed + column;
    const float* const weight =
        exchange + offsets.weights + (stream * sizes.heads + column / sizes.head_size) * 2 * kParts;
    // The parts' mixtures, their largest scores, their sums.
    constexpr int vectors = kParts + 2 * kParts / width;
    const float* places[vectors];
    Vector<width> values[vectors];
    for (int part = 0; part < kParts; ++part) places[part] = mixture + part * part_stride;
    for (int k = kParts; k < vectors; ++k) places[k] = weight + (k - kParts) * width;
    await<width>(places, values);
    const auto largest_of = [&](int part) { return values[kParts + part / width][part % width]; };
    const auto sum_of = [&](int part) {
      return values[kParts + (kParts + part) / width][part % width];
    };
    float largest = -INFINITY, sum = 0;
    for (int part = 0; part < kParts; ++part) largest = fmaxf(largest, largest_of(part));
    Vector<width> mixed{};
    for (int part = 0; part < kParts; ++part) {
      const float factor = expf(largest_of(part) - largest);
      sum += factor * sum_of(part);
      for (int n = 0; n < width; ++n) mixed[n] += factor * values[part][n];
    }
    for (int n = 0; n < width; ++n) mixed[n] = mixed[n] / sum;
    store(shared(at.operands) + i, mixed);
  }
}

}  // namespace dsf::cuda
