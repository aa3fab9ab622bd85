#include "kernels/common/counter_cuda.h"
#include "kernels/common/grid.h"
#include "kernels/common/launch.h"
#include "kernels/decode_step/decode_step.h"
#include "kernels/decode_step/row_products_cuda.h"
#include "kernels/layernorm/layernorm.h"
#include "kernels/rope/head_angle_cuda.h"

namespace dsf::cuda {

// A frame in one launch of a block to each multiprocessor. At params.yaml's size a frame reads
// 14.7 M weights, 59 MB, which an H100's memory gives in 17.6 µs; as a composition it is some 20
// launches a layer, each of which waits for memory anew. Here a layer is five stages with a grid
// barrier behind each, and the weights of a warp's first task in a stage are loaded before the
// barrier in front of it (row_products_cuda.h): with 132 · 16 warps and tasks of 512 weights that
// is all of them, but for the head. So memory streams while blocks wait, and what a frame costs
// besides is 5 · layers barriers and in each stage the way of the activations through the L2 cache.
//
// Each block has the state x of all streams in its own shared memory and normalises it itself,
// which is cheaper than a barrier. What all blocks compute alike is the same bits in all.
static constexpr int kMaxLayers = 16;  // what a launch's arguments have room for
static constexpr int kMaxStreams = 4;  // more would be a matter of products, not of memory
static constexpr int kEntryLanes = 4;  // of the rings
static constexpr size_t kMaxShared = 200 * 1024;

// Long rows, and those of few outputs, are cut so that all warps have work. The number is not the
// grid's, so that results do not depend on the device.
static constexpr int kParts = 4;

namespace {

struct Layer {
  const float *in_w, *in_b, *out_w, *out_b, *expand_w, *expand_b, *reduce_w, *reduce_b;
  const float *gamma1, *beta1, *gamma2, *beta2;
  float *keys, *values;
};

struct Step {
  const int32_t* tokens;
  const float *embedding, *norm_w, *norm_b, *head_w, *head_b;
  float *logits, *query, *key, *value, *mixed, *hidden;
  float* branch[kParts];  // summands of what a branch adds to x
  Counter frame = 0, position = 0;
  int codebooks, entries;  // of a codebook's table
  int embed, hidden_size, heads, head_size, window, layers, outputs;
  int streams_per_condition;
  float scale;
  Layer layer[kMaxLayers];
};

/// A block's shared memory: arrays of floats, each of whole vectors.
struct Arrays {
  int x, modulated, shift;  // [B, E]
  int cosines, sines;       // [F]
  int query, key, value;    // [S]
  int scores;               // [W]
  int mixtures;             // [threads · 4]
  int size;

  __host__ __device__ Arrays(const Step& step, int streams) {
    int used = 0;
    const auto take = [&](int count) {
      const int begin = used;
      used += (count + 3) / 4 * 4;
      return begin;
    };
    x = take(streams * step.embed);
    modulated = take(streams * step.embed);
    shift = take(streams * step.embed);
    cosines = take(step.head_size / 2);
    sines = take(step.head_size / 2);
    query = take(step.head_size);
    key = take(step.head_size);
    value = take(step.head_size);
    scores = take(step.window);
    mixtures = take(kThreads * 4);
    size = used;
  }
};

__device__ inline float* shared(int array) {
  return dynamic_shared<float>() + array;
}

// --- The state ---

__device__ void embed(const Step& step, const Arrays& at, int streams) {
  const int part = step.embed / step.codebooks;
  for (int i = static_cast<int>(threadIdx.x); i < streams * step.embed; i += kThreads) {
    const int row = i / part;  // of all streams' codes
    const int32_t token = step.tokens[row];
    const int64_t entry = int64_t{row % step.codebooks} * step.entries + token;
    shared(at.x)[i] =
        token >= 0 && token < step.entries ? step.embedding[entry * part + i % part] : NAN;
  }
}

/// x += branch, if there is one; modulated = LN(x)·scale + shift, whose row r is that of
/// `streams_per_row` streams. All that comes from global memory comes at once.
template <int width, int streams>
__device__ void normalise(const Step& step, const Arrays& at, bool has_branch, const float* scale,
                          const float* shift, int streams_per_row) {
  float *const x = shared(at.x), *const y = shared(at.modulated), *const shifts = shared(at.shift);
  for (int i = static_cast<int>(threadIdx.x) * width; i < streams * step.embed;
       i += kThreads * width) {
    const int of_row = i / step.embed / streams_per_row * step.embed + i % step.embed;
    store(y + i, load<width>(scale + of_row));
    store(shifts + i, load<width>(shift + of_row));
    if (!has_branch) continue;
    Vector<width> sum = load<width>(x + i), summands[kParts];
    for (int part = 0; part < kParts; ++part) summands[part] = load<width>(step.branch[part] + i);
    for (const Vector<width>& summand : summands) {
      for (int n = 0; n < width; ++n) sum[n] += summand[n];
    }
    store(x + i, sum);
  }
  __syncthreads();
  const int begin = warp_of_block() * step.embed, end = begin + step.embed;
  if (warp_of_block() < streams) {
    const float mean_of = 1.0F / static_cast<float>(step.embed);
    float sum = 0, squares = 0;
    for (int i = begin + lane_of_warp(); i < end; i += kWarpSize) sum += x[i];
    const float mean = warp_sum(sum) * mean_of;
    for (int i = begin + lane_of_warp(); i < end; i += kWarpSize) {
      squares += (x[i] - mean) * (x[i] - mean);
    }
    const float rstd =
        1.0F / sqrtf(warp_sum(squares) * mean_of + static_cast<float>(kLayerNormEpsilon));
    for (int i = begin + lane_of_warp(); i < end; i += kWarpSize) {
      y[i] = (x[i] - mean) * rstd * y[i] + shifts[i];
    }
  }
  __syncthreads();
}

// --- Attention ---

/// cos and sin of the position's angles, once per frame.
__device__ void make_rope_tables(const Step& step, const Arrays& at) {
  const int planes = step.head_size / 2;
  for (int plane = static_cast<int>(threadIdx.x); plane < planes; plane += kThreads) {
    const double angle = head_angle(value_of(step.position), plane, planes);
    shared(at.cosines)[plane] = static_cast<float>(cos(angle));
    shared(at.sines)[plane] = static_cast<float>(sin(angle));
  }
}

/// Channel `c` of a head that is turned by the position.
__device__ inline float rotated(const float* head, int c, const Step& step, const Arrays& at) {
  const int planes = step.head_size / 2;
  if (c >= 2 * planes) return head[c];
  const float cosine = shared(at.cosines)[c % planes], sine = shared(at.sines)[c % planes];
  return c < planes ? head[c] * cosine - head[c + planes] * sine
                    : head[c - planes] * sine + head[c] * cosine;
}

/// Brings a head's query, key and value to shared memory, rotated, and the latter two to `slot` of
/// their rings, which is read here alone.
__device__ inline void take_entry(const Step& step, const Layer& layer, const Arrays& at,
                                  int64_t head, int64_t slot) {
  for (int i = static_cast<int>(threadIdx.x); i < 3 * step.head_size; i += kThreads) {
    const int c = i % step.head_size;
    if (i < step.head_size) {
      shared(at.query)[c] = rotated(step.query + head, c, step, at);
    } else if (i < 2 * step.head_size) {
      shared(at.key)[c] = layer.keys[slot + c] = rotated(step.key + head, c, step, at);
    } else {
      shared(at.value)[c] = layer.values[slot + c] = step.value[head + c];
    }
  }
}

/// Scores of the query with the ring's first `count` entries, 4 lanes to an entry; `own` is this
/// frame's.
template <int width>
__device__ void score(const Step& step, const Arrays& at, const float* keys, int64_t stride,
                      int count, int own) {
  constexpr int groups = kThreads / kEntryLanes, at_once = 2;
  const int group = static_cast<int>(threadIdx.x) / kEntryLanes;
  const int lane = static_cast<int>(threadIdx.x) % kEntryLanes;
  for (int first = group; first - group < count; first += at_once * groups) {
    const float* key[at_once];
    float sums[at_once] = {};
    for (int i = 0; i < at_once; ++i) {
      const int entry = min(first + i * groups, count - 1);  // the last again: not stored
      key[i] = entry == own ? shared(at.key) : keys + entry * stride;
    }
    for (int c = lane * width; c < step.head_size; c += kEntryLanes * width) {
      const Vector<width> a = load<width>(shared(at.query) + c);
      Vector<width> b[at_once];
      for (int i = 0; i < at_once; ++i) b[i] = load<width>(key[i] + c);
      for (int i = 0; i < at_once; ++i) {
        for (int n = 0; n < width; ++n) sums[i] += a[n] * b[i][n];
      }
    }
    for (int i = 0; i < at_once; ++i) {
      for (int distance = kEntryLanes / 2; distance > 0; distance /= 2) {
        sums[i] += __shfl_xor_sync(kAllLanes, sums[i], distance);
      }
      const int entry = first + i * groups;
      if (lane == 0 && entry < count) shared(at.scores)[entry] = sums[i] * step.scale;
    }
  }
}

/// The values' mixture: threads share out channels and, among those of a channel, entries.
template <int width>
__device__ void mix(const Step& step, const Arrays& at, const float* values, int64_t stride,
                    int count, int own, float* mixed) {
  const float* const scores = shared(at.scores);
  float largest = -INFINITY, sum = 0;  // each warp finds them itself: cheaper than barriers
  for (int i = lane_of_warp(); i < count; i += kWarpSize) largest = fmaxf(largest, scores[i]);
  largest = warp_max(largest);
  for (int i = lane_of_warp(); i < count; i += kWarpSize) sum += expf(scores[i] - largest);
  sum = warp_sum(sum);

  const int vectors = step.head_size / width, shares = kThreads / vectors;
  const int channel = static_cast<int>(threadIdx.x) % vectors * width;
  const int share = static_cast<int>(threadIdx.x) / vectors;
  float* const mixtures = shared(at.mixtures);
  if (share < shares) {
    Vector<width> mixture{};
    for (int entry = share; entry < count; entry += shares) {
      const float weight = expf(scores[entry] - largest);
      const Vector<width> value =
          load<width>((entry == own ? shared(at.value) : values + entry * stride) + channel);
      for (int n = 0; n < width; ++n) mixture[n] += weight * value[n];
    }
    store(mixtures + share * step.head_size + channel, mixture);
  }
  __syncthreads();
  for (int c = static_cast<int>(threadIdx.x); c < step.head_size; c += kThreads) {
    float total = 0;
    for (int i = 0; i < shares; ++i) total += mixtures[i * step.head_size + c];
    mixed[c] = total / sum;
  }
}

/// mixed = attention of all streams, a block to a head.
template <int width>
__device__ void attend(const Step& step, const Layer& layer, const Arrays& at, int streams) {
  const int64_t frame = value_of(step.frame);
  const int own = static_cast<int>(frame % step.window);
  const int count = frame < step.window ? own + 1 : step.window;
  const int64_t stride = int64_t{streams} * step.embed;
  for (int task = static_cast<int>(blockIdx.x); task < streams * step.heads;
       task += static_cast<int>(gridDim.x)) {
    const int64_t head = int64_t{task} * step.head_size;
    take_entry(step, layer, at, head, own * stride + head);
    __syncthreads();
    score<width>(step, at, layer.keys + head, stride, count, own);
    __syncthreads();
    // Its barrier also keeps the next head's query, key and value from those who still read.
    mix<width>(step, at, layer.values + head, stride, count, own, step.mixed + head);
  }
}

// --- The frame ---

__device__ Product input_product(const Step& step, const Layer& layer) {
  return {layer.in_w, layer.in_b, 3 * step.embed, step.embed, 1};
}

/// All of a layer; `chunk` holds its first weights, then those of what follows it.
template <int width, int streams>
__device__ void run_layer(const Step& step, int number, const Arrays& at, const Product& following,
                          Chunk<width>& chunk) {
  const Layer& layer = step.layer[number];
  const int e = step.embed;
  const auto add_to_branch = [&](int row, int part, int stream, float sum) {
    step.branch[part][stream * e + row] = sum;
  };
  normalise<width, streams>(step, at, number > 0, layer.gamma1, layer.beta1,
                            step.streams_per_condition);
  multiply<width, streams>(
      input_product(step, layer), chunk, shared(at.modulated),
      [&](int row, int, int stream, float sum) {
        float* const to = row < e ? step.query : row < 2 * e ? step.key : step.value;
        to[stream * e + row % e] = sum;
      });
  grid_barrier();
  attend<width>(step, layer, at, streams);
  const Product out{layer.out_w, layer.out_b, e, e, kParts};
  chunk = first_chunk<width>(out);  // not before attention, which needs the registers
  grid_barrier();
  multiply<width, streams>(out, chunk, step.mixed, add_to_branch);
  const Product expand{layer.expand_w, layer.expand_b, step.hidden_size, e, 1};
  chunk = first_chunk<width>(expand);
  grid_barrier();
  normalise<width, streams>(step, at, true, layer.gamma2, layer.beta2, step.streams_per_condition);
  multiply<width, streams>(expand, chunk, shared(at.modulated),
                           [&](int row, int, int stream, float sum) {
                             step.hidden[stream * step.hidden_size + row] = sum < 0 ? 0 : sum;
                           });
  const Product reduce{layer.reduce_w, layer.reduce_b, e, step.hidden_size, kParts};
  chunk = first_chunk<width>(reduce);
  grid_barrier();
  multiply<width, streams>(reduce, chunk, step.hidden, add_to_branch);
  chunk = first_chunk<width>(following);
  grid_barrier();
}

template <int width, int streams>
__global__ void __launch_bounds__(kThreads) step_kernel(const __grid_constant__ Step step) {
  const Arrays at(step, streams);
  const Product head{step.head_w, step.head_b, step.outputs, step.embed, 1};
  Chunk<width> chunk = first_chunk<width>(input_product(step, step.layer[0]));
  make_rope_tables(step, at);
  embed(step, at, streams);
  for (int number = 0; number < step.layers; ++number) {
    const bool last = number + 1 == step.layers;
    run_layer<width, streams>(step, number, at,
                              last ? head : input_product(step, step.layer[number + 1]), chunk);
  }
  normalise<width, streams>(step, at, true, step.norm_w, step.norm_b, streams);
  multiply<width, streams>(head, chunk, shared(at.modulated),
                           [&](int row, int, int stream, float sum) {
                             step.logits[int64_t{stream} * step.outputs + row] = sum;
                           });
}

// --- The launch ---

Step make_step(Tensor logits, ConstIndexTensor tokens, const DecodeStepModel& model,
               const DecodeStepScratch& scratch, Counter frame, Counter position) {
  Step step;
  step.tokens = tokens.data;
  step.embedding = model.embedding.data;
  step.norm_w = model.norm_w.data;
  step.norm_b = model.norm_b.data;
  step.head_w = model.head_w.data;
  step.head_b = model.head_b.data;
  step.logits = logits.data;
  step.query = scratch.query.data;
  step.key = scratch.key.data;
  step.value = scratch.value.data;
  step.mixed = scratch.mixed.data;
  step.hidden = scratch.hidden.data;
  // Of these the composition needs all, and this form none for what they are named after.
  float* const free[kParts] = {scratch.branch.data, scratch.x.data, scratch.normed.data,
                               scratch.modulated.data};
  for (int part = 0; part < kParts; ++part) step.branch[part] = free[part];
  step.frame = frame;
  step.position = position;
  step.codebooks = static_cast<int>(model.embedding.dim(0));
  step.entries = static_cast<int>(model.embedding.dim(1));
  step.embed = static_cast<int>(model.norm_w.dim(0));
  step.hidden_size = static_cast<int>(scratch.hidden.cols());
  step.heads = static_cast<int>(model.heads);
  step.head_size = step.embed / step.heads;
  step.window = static_cast<int>(model.layers[0].keys.dim(0));
  step.layers = static_cast<int>(model.layers.size());
  step.outputs = static_cast<int>(model.head_w.dim(0));
  step.streams_per_condition = static_cast<int>(tokens.dim(0) / model.layers[0].gamma1.rows());
  step.scale = 1.0F / sqrtf(static_cast<float>(step.head_size));
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const DecodeStepLayer& layer = model.layers[i];
    step.layer[i] = {layer.in_w.data,     layer.in_b.data,     layer.out_w.data,
                     layer.out_b.data,    layer.expand_w.data, layer.expand_b.data,
                     layer.reduce_w.data, layer.reduce_b.data, layer.gamma1.data,
                     layer.beta1.data,    layer.gamma2.data,   layer.beta2.data,
                     layer.keys.data,     layer.values.data};
  }
  return step;
}

/// Whether all that is read as vectors can be; shared arrays begin on vectors.
bool takes_vectors(const Step& step) {
  bool fits =
      step.head_size % 4 == 0 &&
      fits_vectors(step.embed, {step.norm_w, step.norm_b, step.head_w, step.mixed, step.branch[0],
                                step.branch[1], step.branch[2], step.branch[3]}) &&
      fits_vectors(step.hidden_size, {step.hidden});
  for (int i = 0; i < step.layers; ++i) {
    const Layer& layer = step.layer[i];
    fits &= fits_vectors(step.embed,
                         {layer.in_w, layer.out_w, layer.expand_w, layer.reduce_w, layer.gamma1,
                          layer.beta1, layer.gamma2, layer.beta2, layer.keys, layer.values});
  }
  return fits;
}

using Kernel = void (*)(Step);

template <int width>
Kernel kernel_for(int64_t streams) {
  constexpr Kernel kernels[kMaxStreams] = {step_kernel<width, 1>, step_kernel<width, 2>,
                                           step_kernel<width, 3>, step_kernel<width, 4>};
  return kernels[streams - 1];
}

size_t shared_bytes(const Step& step, int64_t streams) {
  return sizeof(float) * static_cast<size_t>(Arrays(step, static_cast<int>(streams)).size);
}

}  // namespace

bool fuses_decode_step(const DecodeStepModel& model, int64_t streams) {
  if (streams > kMaxStreams || model.layers.empty() || model.layers.size() > kMaxLayers) {
    return false;
  }
  const int64_t embed = model.norm_w.dim(0), head_size = embed / model.heads;
  const int64_t window = model.layers[0].keys.dim(0);
  const int64_t floats = 3 * streams * embed + 4 * head_size + window + 4 * kThreads + 4 * 9;
  return head_size <= kThreads && static_cast<size_t>(floats) * sizeof(float) <= kMaxShared;
}

void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                         const DecodeStepModel& model, const DecodeStepScratch& scratch,
                         Counter frame, Counter position) {
  const int64_t streams = tokens.dim(0);
  const Step step = make_step(logits, tokens, model, scratch, frame, position);
  launch_cooperative(takes_vectors(step) ? kernel_for<4>(streams) : kernel_for<1>(streams),
                     multiprocessors(), kThreads, shared_bytes(step, streams), stream_of(ctx),
                     step);
}

}  // namespace dsf::cuda
