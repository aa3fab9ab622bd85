#include "kernels/common/grid.h"
#include "kernels/common/launch.h"
#include "kernels/decode_step/decode_step.h"
#include "kernels/decode_step/step_attention_cuda.h"
#include "kernels/layernorm/layernorm.h"

namespace dsf::cuda {

// A frame in one launch of a block to each multiprocessor. At params.yaml's size a frame reads
// 14.7 M weights, 59 MB, which an H100's memory gives in 19.5 µs (of 3.0 TB/s); as a composition it
// is some 20 launches a layer, each of which waits for memory anew. Here a layer is five stages
// whose blocks hand their numbers to each other (hand_over.h), while the weights of the next four
// or five stages are on their way (row_products_cuda.h): 95 KB a layer and multiprocessor. What a
// frame costs is the stages' latency: of a layer's 13 µs 3.5 are the ways from block to block, 2 a
// head's attention, the rest norms and products of a microsecond or less
// (bench/results/gpu_h100.md).
//
// Each block has the state x of all streams in its own shared memory and normalises it itself,
// which is cheaper than another stage. What all blocks compute alike is the same bits in all.
//
// More streams than one launch takes are two launches; from more on the composition, which loads
// weights once for all streams, is no slower. It also serves where a block has too little shared
// memory for this: of GPUs from Ampere on, Hopper's has enough for a model of params.yaml's size.
static constexpr int kMaxLaunches = 2;

// The copies of a warp that are on their way: what leaves room for the streams' arrays.
static constexpr int slots_for(int streams) {
  return streams <= 2 ? 5 : 4;
}

namespace {

// --- The state ---

/// x = the codes' embeddings.
__device__ void embed(const Step& step, const Arrays& at) {
  const int part = step.sizes.embed / step.codebooks;
  for (int i = static_cast<int>(threadIdx.x); i < step.sizes.streams * step.sizes.embed;
       i += kThreads) {
    const int row = i / part;  // of all streams' codes
    const int32_t token = step.tokens[row];
    const int64_t entry = int64_t{row % step.codebooks} * step.entries + token;
    shared(at.x)[i] =
        token >= 0 && token < step.entries ? step.embedding[entry * part + i % part] : NAN;
  }
}

/// Mean and 1/σ of a row of x, for a warp.
template <int width>
__device__ void row_statistics(const float* x, int size, float& mean, float& rstd) {
  const float mean_of = 1.0F / static_cast<float>(size);
  float sum = 0, squares = 0;
  for (int c = lane_of_warp() * width; c < size; c += kWarpSize * width) {
    const Vector<width> values = load<width>(x + c);
    for (int n = 0; n < width; ++n) sum += values[n];
  }
  mean = warp_sum(sum) * mean_of;
  for (int c = lane_of_warp() * width; c < size; c += kWarpSize * width) {
    const Vector<width> values = load<width>(x + c);
    for (int n = 0; n < width; ++n) squares += (values[n] - mean) * (values[n] - mean);
  }
  rstd = 1.0F / sqrtf(warp_sum(squares) * mean_of + static_cast<float>(kLayerNormEpsilon));
}

/// x += the summands of a branch, if there is one; modulated = LN(x)·scale + shift, whose row r is
/// that of `streams_per_row` streams. Each stream has some warps, each of them every so many of its
/// columns. Does not wait for the block.
template <int width, int streams>
__device__ void normalise(const Step& step, const Arrays& at, const float* branch,
                          const float* scale, const float* shift, int streams_per_row) {
  constexpr int warps = kWarps / streams;
  const int stream = warp_of_block() / warps, e = step.sizes.embed;
  const int row = stream * e;
  const int of_row = (step.first_stream + stream) / streams_per_row * e;
  const int first_of_warp = warp_of_block() % warps * kWarpSize * width;
  const int first = first_of_warp + lane_of_warp() * width, stride = warps * kWarpSize * width;
  float *const x = shared(at.x), *const y = shared(at.modulated), *const shifts = shared(at.shift);
  const bool takes_part = stream < streams && first_of_warp < e;  // of the warp
  for (int c = first; takes_part && c < e; c += stride) {
    const Vector<width> scales = load<width>(scale + of_row + c);
    const Vector<width> added = load<width>(shift + of_row + c);
    if (branch) {
      const float* places[kParts];
      Vector<width> sum = load<width>(x + row + c), summands[kParts];
      for (int part = 0; part < kParts; ++part) {
        places[part] = branch + int64_t{part} * streams * e + row + c;
      }
      await<width>(places, summands);
      for (const Vector<width>& summand : summands) {
        for (int n = 0; n < width; ++n) sum[n] += summand[n];
      }
      store(x + row + c, sum);
    }
    store(y + row + c, scales);
    store(shifts + row + c, added);
  }
  __syncthreads();
  if (!takes_part) return;
  float mean = 0, rstd = 0;
  row_statistics<width>(x + row, e, mean, rstd);
  for (int c = first; c < e; c += stride) {
    const Vector<width> values = load<width>(x + row + c), scales = load<width>(y + row + c);
    Vector<width> normed = load<width>(shifts + row + c);
    for (int n = 0; n < width; ++n) normed[n] += (values[n] - mean) * rstd * scales[n];
    store(y + row + c, normed);
  }
}

// --- The frame ---

/// What a block has throughout a frame.
template <int width, int streams>
struct Frame {
  using Weights = WeightStream<width, slots_for(streams), StepProducts>;

  const Step& step;
  const Arrays& at;
  const Exchange& offsets;
  Weights weights;
  Chunk<width> chunk;        // the first of the next product
  AttentionTask first_task;  // of the block, if there are so many

  __device__ explicit Frame(const Step& frame)
      : step(frame),
        at(frame.at),
        offsets(frame.offsets),
        weights(StepProducts{frame}, shared(at.weights)),
        first_task(frame, static_cast<int>(blockIdx.x)) {}

  __device__ float* exchange(int layer) const { return step.exchange + layer * offsets.size; }
  __device__ BlockColumns columns(int cols) const {
    return {cols, static_cast<int>(gridDim.x), static_cast<int>(blockIdx.x)};
  }
  __device__ Operands modulated() const { return {shared(at.modulated), step.sizes.embed, 0}; }
  __device__ Operands operands(const BlockColumns& columns) const {
    return {shared(at.operands), columns.count, columns.begin};
  }

  /// Product `number`; then that behind it gets its first weights, before anything is waited for.
  template <class Emit>
  __device__ void multiply_by(int number, const Operands& operands, const Emit& emit) {
    __syncthreads();  // the operands are there
    multiply<streams>(step.product[number], chunk, weights, operands, emit);
  }
  __device__ void load_first(int number) { chunk = weights.first(step.product[number]); }

  /// Blocks make the places of all numbers empty; what else needs no other block is done meanwhile.
  __device__ void begin() {
    const int size = step.sizes.layers * offsets.size;
    const int stride = static_cast<int>(gridDim.x) * kThreads;
    for (int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x); i < size; i += stride) {
      step.exchange[i] = absent();
    }
    GridArrival arrival = arrive_at_grid_barrier();
    fetch_entries_of(0);
    embed(step, at);
    make_rope_tables(step, at);
    load_first(0);
    wait_for_grid(std::move(arrival));
  }

  /// Sends for the rings' entries that the block's first task of a layer's attention needs.
  __device__ void fetch_entries_of(int layer) {
    const bool has_task = static_cast<int>(blockIdx.x) < attention_tasks(step.sizes);
    if (layer < step.sizes.layers && has_task) {
      fetch_entries<width>(step, step.layer[layer], at, first_task);
    }
  }

  __device__ void attend_in(int layer) {
    const StepLayer& of_layer = step.layer[layer];
    const int e = step.sizes.embed;
    float* const places = exchange(layer);
    normalise<width, streams>(step, at,
                              layer == 0 ? nullptr : exchange(layer - 1) + offsets.branch2,
                              of_layer.gamma1, of_layer.beta1, step.streams_per_condition);
    multiply_by(4 * layer, modulated(), [&](int row, int, int stream, float sum) {
      const int which = (row >= e) + (row >= 2 * e);
      const int to = which == 0 ? offsets.query : which == 1 ? offsets.key : offsets.value;
      hand_over(places + to + stream * e + row - which * e, sum);
    });
    // Lanes' own copies are not asked for before, as attention would wait for them, too.
    constexpr bool kAhead = DSF_BULK_COPIES && width == 4;
    if (kAhead) load_first(4 * layer + 1);
    await_blocks();
    attend<width>(step, of_layer, at, offsets, places, first_task);
    if (!kAhead) load_first(4 * layer + 1);
    await_blocks();
    fetch_entries_of(layer + 1);
    const BlockColumns needed = columns(e);
    take_mixed<width>(step, at, offsets, places, needed);
    multiply_by(4 * layer + 1, operands(needed), add_to(places + offsets.branch1));
    load_first(4 * layer + 2);
    await_blocks();
  }

  __device__ void feed_forward(int layer) {
    const StepLayer& of_layer = step.layer[layer];
    const int hidden_size = step.sizes.hidden;
    float* const places = exchange(layer);
    normalise<width, streams>(step, at, places + offsets.branch1, of_layer.gamma2, of_layer.beta2,
                              step.streams_per_condition);
    multiply_by(4 * layer + 2, modulated(), [&](int row, int, int stream, float sum) {
      hand_over(places + offsets.hidden + stream * hidden_size + row, sum < 0 ? 0 : sum);
    });
    load_first(4 * layer + 3);
    await_blocks();
    const BlockColumns needed = columns(hidden_size);
    take_hidden(places + offsets.hidden, needed);
    multiply_by(4 * layer + 3, operands(needed), add_to(places + offsets.branch2));
    load_first(4 * layer + 4);
    await_blocks();
  }

  /// Brings the columns of the hidden state that a block needs to its operands.
  __device__ void take_hidden(const float* hidden, const BlockColumns& columns) const {
    for (int i = static_cast<int>(threadIdx.x) * width; i < streams * columns.count;
         i += kThreads * width) {
      const int stream = i / columns.count, column = columns.begin + i % columns.count;
      Vector<width> values[1];
      await<width>({hidden + stream * step.sizes.hidden + column}, values);
      store(shared(at.operands) + i, values[0]);
    }
  }

  __device__ auto add_to(float* branch) const {
    const int e = step.sizes.embed;
    return [=](int row, int part, int stream, float sum) {
      hand_over(branch + (part * streams + stream) * e + row, sum);
    };
  }

  __device__ void run() {
    begin();
    const int layers = step.sizes.layers;
    for (int layer = 0; layer < layers; ++layer) {
      attend_in(layer);
      feed_forward(layer);
    }
    normalise<width, streams>(step, at, exchange(layers - 1) + offsets.branch2, step.norm_w,
                              step.norm_b, step.sizes.all_streams);
    multiply_by(4 * layers, modulated(), [&](int row, int, int stream, float sum) {
      step.logits[int64_t{stream} * step.sizes.outputs + row] = sum;
    });
  }
};

template <int width, int streams>
__global__ void __launch_bounds__(kThreads) step_kernel(const __grid_constant__ Step step) {
  Frame<width, streams>(step).run();
}

// --- The launch ---

StepSizes sizes_of(const DecodeStepModel& model, int64_t streams) {
  const int64_t embed = model.norm_w.dim(0);
  return {static_cast<int>(streams),
          static_cast<int>(model.layers[0].keys.dim(1)),
          static_cast<int>(embed),
          static_cast<int>(model.layers[0].expand_w.rows),
          static_cast<int>(model.heads),
          static_cast<int>(embed / model.heads),
          static_cast<int>(model.layers[0].keys.dim(0)),
          static_cast<int>(model.layers.size()),
          static_cast<int>(model.head_w.rows)};
}

Product product_of(const WeightMatrix& w, ConstTensor bias, int log_parts) {
  return {w.floats().data, bias.data, static_cast<int>(w.rows), static_cast<int>(w.cols),
          log_parts};
}

Arrays arrays_of(const StepSizes& sizes) {
  const int weight_floats = kWarps * warp_copies_floats(slots_for(sizes.streams), kChunkColumns);
  return {sizes, weight_floats, multiprocessors()};
}

Step make_step(Tensor logits, ConstIndexTensor tokens, const DecodeStepModel& model,
               const DecodeStepScratch& scratch, Counter frame, Counter position,
               int64_t first_stream, int64_t streams) {
  Step step;
  step.tokens = tokens.slice(first_stream, streams).data;
  step.embedding = model.embedding.data;
  step.norm_w = model.norm_w.data;
  step.norm_b = model.norm_b.data;
  step.logits = logits.slice(first_stream, streams).data;
  step.exchange = scratch.exchange.data;
  step.frame = frame;
  step.position = position;
  step.first_stream = static_cast<int>(first_stream);
  step.sizes = sizes_of(model, streams);
  step.offsets = Exchange(step.sizes);
  step.at = arrays_of(step.sizes);
  step.codebooks = static_cast<int>(model.embedding.dim(0));
  step.entries = static_cast<int>(model.embedding.dim(1));
  step.streams_per_condition = static_cast<int>(tokens.dim(0) / model.layers[0].gamma1.rows());
  step.scale = 1.0F / sqrtf(static_cast<float>(step.sizes.head_size));
  for (size_t i = 0; i < model.layers.size(); ++i) {
    const DecodeStepLayer& layer = model.layers[i];
    step.layer[i] = {layer.gamma1.data, layer.beta1.data, layer.gamma2.data,
                     layer.beta2.data,  layer.keys.data,  layer.values.data};
    Product* const product = step.product + 4 * i;
    product[0] = product_of(layer.in_w, layer.in_b, 0);
    product[1] = product_of(layer.out_w, layer.out_b, kLogParts);
    product[2] = product_of(layer.expand_w, layer.expand_b, 0);
    product[3] = product_of(layer.reduce_w, layer.reduce_b, kLogParts);
  }
  step.product[4 * model.layers.size()] = product_of(model.head_w, model.head_b, 0);
  return step;
}

/// Whether all that is read as vectors can be; shared arrays begin on vectors.
bool takes_vectors(const Step& step) {
  const int embed = step.sizes.embed;
  bool fits = step.sizes.head_size % 4 == 0 && step.sizes.hidden % 4 == 0 &&
              fits_vectors(embed, {step.norm_w, step.norm_b, step.exchange});
  for (int i = 0; i < step.sizes.layers; ++i) {
    const StepLayer& layer = step.layer[i];
    fits &= fits_vectors(
        embed, {layer.gamma1, layer.beta1, layer.gamma2, layer.beta2, layer.keys, layer.values});
  }
  for (const Product& product : step.product) fits &= fits_vectors(product.cols, {product.w});
  return fits;
}

using Kernel = void (*)(Step);

template <int width>
Kernel kernel_for(int64_t streams) {
  constexpr Kernel kernels[kDecodeStepStreams] = {step_kernel<width, 1>, step_kernel<width, 2>,
                                                  step_kernel<width, 3>, step_kernel<width, 4>};
  return kernels[streams - 1];
}

size_t shared_bytes(const Arrays& arrays) {
  return sizeof(float) * static_cast<size_t>(arrays.size);
}

}  // namespace

/// Not where a head has more channels than a block has threads, of which `mix` gives each a vector.
bool fuses_decode_step(const DecodeStepModel& model, int64_t streams) {
  const int64_t launches = divide_up(streams, kDecodeStepStreams);
  if (launches < 1 || launches > kMaxLaunches || model.layers.empty() ||
      model.layers.size() > kMaxLayers || model.norm_w.dim(0) / model.heads > kThreads) {
    return false;
  }
  const auto fits = [&](int64_t of_launch) {
    return shared_bytes(arrays_of(sizes_of(model, of_launch))) <= max_shared_bytes();
  };
  return fits(streams / launches) && fits(divide_up(streams, launches));
}

void decode_step_forward(const Context& ctx, Tensor logits, ConstIndexTensor tokens,
                         const DecodeStepModel& model, const DecodeStepScratch& scratch,
                         Counter frame, Counter position) {
  const int64_t all = tokens.dim(0), launches = divide_up(all, kDecodeStepStreams);
  for (int64_t i = 0; i < launches; ++i) {
    const int64_t first = all * i / launches, streams = all * (i + 1) / launches - first;
    const Step step = make_step(logits, tokens, model, scratch, frame, position, first, streams);
    const int64_t places = int64_t{step.sizes.layers} * step.offsets.size;
    DSF_CHECK(scratch.exchange.size() >= places, "{} places for {} numbers between blocks",
              scratch.exchange.size(), places);
    launch_cooperative(takes_vectors(step) ? kernel_for<4>(streams) : kernel_for<1>(streams),
                       multiprocessors(), kThreads, shared_bytes(step.at), stream_of(ctx), step);
  }
}

}  // namespace dsf::cuda
