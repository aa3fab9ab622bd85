// Convolutions on tensor cores: products of matrices whose left one, the frames of x under each tap
// side by side, is never stored. Tiles of it and of w are copied to shared memory, some ahead of
// those that are multiplied.
#include <iterator>

#include "kernels/common/convolution.h"
#include "kernels/common/convolution_tiles_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/common/tensor_cores.h"
#include "kernels/common/vector.h"
#include "kernels/snake/snake_cuda.h"

namespace dsf::cuda {

namespace {

/// What a block computes of a convolution.
struct Place {
  int64_t sequence;
  int phase, taps, first_row, first_channel;

  __device__ Place(const Convolution& c, int frames, int channels)
      : sequence(static_cast<int>(blockIdx.z) / c.phases),
        phase(static_cast<int>(blockIdx.z) % c.phases),
        taps((c.kernel - phase + c.phases - 1) / c.phases),  // 0 where the kernel has gaps
        first_row(static_cast<int>(blockIdx.x) * frames),
        first_channel(static_cast<int>(blockIdx.y) * channels) {}
};

/// Walks through the terms of a block's sums: for each kDepth inputs through the taps.
template <class Tile>
struct Cursor {
  int tap = 0, first_input = 0;
  int stage = 0, slot = 0;  // where w and x lie in shared memory

  __device__ void advance(const Place& place, const ConvolutionWindow& window) {
    stage = stage + 1 == Tile::kStages ? 0 : stage + 1;
    ++tap;
    const bool last = tap == place.taps;
    if (last) {
      tap = 0;
      first_input += Tile::kDepth;
    }
    if (last || !window.of_all_taps) slot = slot + 1 == window.count ? 0 : slot + 1;
  }
};

/// Begins to copy four floats to shared memory; zeros where they do not exist, and `from`, which
/// then may point anywhere, is not read.
__device__ inline void copy_async(float* to, const float* from, bool exists) {
#ifdef DSF_SIMT
  __pipeline_memcpy_async(to, from, sizeof(Vector<4>), exists ? 0 : sizeof(Vector<4>));
#else
  // CUDA's function branches where the number of zeros is not a constant.
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(exists ? 16 : 0));
#endif
}

/// Copies stage after stage to shared memory.
template <class Tile>
struct Loader {
  const Convolution& c;
  const Place& place;
  const ConvolutionWindow& window;
  Cursor<Tile> at;

  /// Begins to copy the next stage; behind the last there is nothing to copy.
  __device__ void fetch(float* stages, float* windows) {
    if (at.first_input < c.inputs && place.taps > 0) {
      if (at.tap == 0 || !window.of_all_taps) {
        fetch_x(windows + at.slot * window.rows * Tile::kDepth);
      }
      fetch_w(stages + at.stage * Tile::kStageFloats);
    }
    __pipeline_commit();
    at.advance(place, window);
  }
  __device__ void fetch_x(float* xs) const {
    const int chunk = static_cast<int>(threadIdx.x) % Tile::kFrameChunks;
    const int row = static_cast<int>(threadIdx.x) / Tile::kFrameChunks;
    const int input = at.first_input + chunk * Tile::kChunk;
    // The window of all taps begins under the first or, where they go back, under the last.
    const int tap =
        window.of_all_taps ? (c.step < 0 ? -ConvolutionWindow::reach(c) : 0) : at.tap * c.step;
    int t = (place.first_row + row) * c.stride + c.offset + tap;
    const float* from = c.x + (place.sequence * c.frames + t) * c.inputs + input;
    float* to = xs + Tile::x_place(row, chunk);
    const int64_t next = int64_t{Tile::kFramesAtOnce * c.stride} * c.inputs;
    const unsigned frames = input < c.inputs ? static_cast<unsigned>(c.frames) : 0;
    for (int i = 0; i < window.rows; i += Tile::kFramesAtOnce) {
      copy_async(to, from, static_cast<unsigned>(t) < frames);  // not before the first either
      t += Tile::kFramesAtOnce * c.stride;
      from += next;
      to += Tile::kFramesAtOnce * Tile::kDepth;
    }
  }
  __device__ void fetch_w(float* ws) const {
    const int chunk = static_cast<int>(threadIdx.x) % Tile::kChannelThreads;
    if (chunk >= Tile::kChannelChunks) return;
    const int first = static_cast<int>(threadIdx.x) / Tile::kChannelThreads;
    const int channel = chunk * Tile::kChunk, o = place.first_channel + channel;
    const int64_t row = int64_t{place.phase + at.tap * c.phases} * c.tap_rows +
                        int64_t{at.first_input + first} * c.input_rows;
    const float* from = c.w + row * c.outputs + o;
    const int64_t next = int64_t{Tile::kRowsAtOnce * c.input_rows} * c.outputs;
    const int terms = o < c.outputs ? c.inputs - at.first_input : 0;
    for (int depth = first; depth < first + Tile::kDepth; depth += Tile::kRowsAtOnce) {
      copy_async(ws + Tile::w_place(depth, channel), from, depth < terms);
      from += next;
    }
  }
};

/// Four neighbouring terms of a frame or of a channel, as tensor cores take them.
template <Precision precision>
struct Terms;

template <>
struct Terms<Precision::tf32> {
  static constexpr int kProducts = 2;
  uint32_t bits[4];

  __device__ Terms() {}
  __device__ Terms(float a, float b, float c, float d)
      : bits{to_tf32(a), to_tf32(b), to_tf32(c), to_tf32(d)} {}
};

template <>
struct Terms<Precision::bf16> {
  static constexpr int kProducts = 1;
  uint32_t bits[2];

  __device__ Terms() {}
  __device__ Terms(float a, float b, float c, float d) : bits{pack_bf16(a, b), pack_bf16(c, d)} {}
};

// Which of the 16 terms of a step stands where in a fragment does not matter so long as it is the
// same of x and w: lane t of a group takes terms 4t … 4t + 3 of both. A step is kProducts products.
__device__ inline void multiply(int product, float (&d)[4], const Terms<Precision::tf32>& upper,
                                const Terms<Precision::tf32>& lower,
                                const Terms<Precision::tf32>& column) {
  const int k = 2 * product;
  const uint32_t a[4] = {upper.bits[k], lower.bits[k], upper.bits[k + 1], lower.bits[k + 1]};
  const uint32_t b[2] = {column.bits[k], column.bits[k + 1]};
  mma_tf32(d, a, b);
}
__device__ inline void multiply(int, float (&d)[4], const Terms<Precision::bf16>& upper,
                                const Terms<Precision::bf16>& lower,
                                const Terms<Precision::bf16>& column) {
  const uint32_t a[4] = {upper.bits[0], lower.bits[0], upper.bits[1], lower.bits[1]};
  mma_bf16(d, a, column.bits);
}

/// A warp's part of y: fragments of 16 frames x 8 channels. Column c of fragments 2p and 2p + 1
/// stands for channels 16p + 2c and 16p + 2c + 1, so that a lane holds four neighbouring ones.
template <class Tile>
struct Sums {
  static constexpr int kRowFragments = Tile::kWarpFrames / 16;
  static constexpr int kPairs = Tile::kWarpChannels / 16;
  float d[kRowFragments][2 * kPairs][4] = {};
  int group, t, part, slice;

  __device__ Sums()
      : group(static_cast<int>(threadIdx.x) % kWarpSize / 4),
        t(static_cast<int>(threadIdx.x) % 4),
        part(static_cast<int>(threadIdx.x) / kWarpSize % Tile::kParts),
        slice(static_cast<int>(threadIdx.x) / kWarpSize / Tile::kParts) {}

  __device__ int frame(int fragment) const {
    return part / Tile::kWarpsAcross * Tile::kWarpFrames + fragment * 16 + group;
  }
  __device__ int channel(int pair) const {
    return part % Tile::kWarpsAcross * Tile::kWarpChannels + pair * 16;
  }

  /// `shift`: the row of the window that lies under the block's first frame. All places are a few
  /// of the lane's own plus constants.
  template <Precision precision>
  __device__ void add_products(const float* xs, int shift, const float* ws) {
    const int row = frame(0) + shift, first = slice * Tile::kStep;
    xs += row * Tile::kDepth;
    const int x_place = Tile::x_place(row, t) - row * Tile::kDepth;
    const float* pairs[2];  // the even ones, the odd ones
    for (int pair = 0; pair < 2; ++pair) {
      pairs[pair] = ws + first * Tile::kChannels + Tile::w_place(t * 4, channel(pair) + group * 2);
    }
    DSF_ROLLED  // two steps' terms do not fit the registers
    for (int depth = first; depth < Tile::kDepth; depth += Tile::kSlices * Tile::kStep) {
      add_step<precision>(xs + (x_place ^ depth), pairs[0], pairs[1]);
      pairs[0] += Tile::kSlices * Tile::kStep * Tile::kChannels;
      pairs[1] += Tile::kSlices * Tile::kStep * Tile::kChannels;
    }
  }
  template <Precision precision>
  __device__ void add_step(const float* xs, const float* even_pairs, const float* odd_pairs) {
    using Four = Terms<precision>;
    Four columns[2 * kPairs];
    DSF_UNROLLED
    for (int pair = 0; pair < kPairs; ++pair) {
      const float* const ws = (pair % 2 == 0 ? even_pairs : odd_pairs) + pair / 2 * 32;
      Vector<2> w[4];
      for (int k = 0; k < 4; ++k) w[k] = load<2>(ws + k * Tile::kChannels);
      columns[2 * pair] = Four(w[0][0], w[1][0], w[2][0], w[3][0]);
      columns[2 * pair + 1] = Four(w[0][1], w[1][1], w[2][1], w[3][1]);
    }
    DSF_UNROLLED
    for (int i = 0; i < kRowFragments; ++i) {
      const Vector<4> high = load<4>(xs + i * 16 * Tile::kDepth);
      const Vector<4> low = load<4>(xs + (i * 16 + 8) * Tile::kDepth);
      const Four upper(high[0], high[1], high[2], high[3]), lower(low[0], low[1], low[2], low[3]);
      for (int product = 0; product < Four::kProducts; ++product) {
        for (int k = 0; k < 2 * kPairs; ++k) {
          multiply(product, d[i][k], upper, lower, columns[k]);
        }
      }
    }
  }

  /// For finish_tile, which reads all slices' sums of a frame as a row.
  __device__ void put(float* shared) const {
    DSF_UNROLLED
    for (int pair = 0; pair < kPairs; ++pair) {
      DSF_UNROLLED
      for (int i = 0; i < 2 * kRowFragments; ++i) {
        const int low = i % 2 * 2, row = slice * Tile::kFrames + frame(i / 2) + i % 2 * 8;
        const auto& even = d[i / 2][2 * pair];
        const auto& odd = d[i / 2][2 * pair + 1];
        store(shared + row * Tile::kSumsPitch + channel(pair) + t * 4,
              Vector<4>{{even[low], odd[low], even[low + 1], odd[low + 1]}});
      }
    }
  }
};

/// What becomes of the sums of channels o … o + 3.
struct Ending {
  const Convolution& c;
  Finish finish;
  Vector<4> bias{}, alpha{}, reciprocal{};

  __device__ Ending(const Convolution& convolution, Finish how, int o)
      : c(convolution), finish(how) {
    if (c.b) bias = load<4>(c.b + o);
    if (!c.activated) return;
    alpha = load<4>(c.alpha + o);
    for (int k = 0; k < 4; ++k) reciprocal[k] = snake_reciprocal(alpha[k]);
  }
  __device__ Vector<4> old(int64_t at) const {
    return finish == Finish::add ? load<4>(c.y + at) : Vector<4>{};
  }
  /// Of sums of y[at] … y[at + 3], and of what is there.
  __device__ void finish_four(int64_t at, Vector<4> values, const Vector<4>& old) const {
    for (int k = 0; k < 4; ++k) values[k] += bias[k] + old[k];
    if (finish == Finish::tanh) {
      for (int k = 0; k < 4; ++k) values[k] = tanhf(values[k]);
    }
    if (c.activated != c.y) store(c.y + at, values);
    if (!c.activated) return;
    for (int k = 0; k < 4; ++k) values[k] = snake(values[k], alpha[k], reciprocal[k]);
    store(c.activated + at, values);
  }
};

/// The slices' sums, from `from` on, added in the order of their numbers.
template <class Tile>
__device__ Vector<4> slices_sum(const float* from) {
  Vector<4> sums = load<4>(from);
  for (int slice = 1; slice < Tile::kSlices; ++slice) {
    const Vector<4> values = load<4>(from + slice * Tile::kFrames * Tile::kSumsPitch);
    for (int k = 0; k < 4; ++k) sums[k] += values[k];
  }
  return sums;
}

/// Finishes the sums of a block. A thread has the same channels of all its frames, and what it
/// needs of several frames is under way at a time.
template <class Tile>
__device__ void finish_tile(const Convolution& c, const Place& place, Finish finish,
                            const float* shared) {
  constexpr int kTurns = Tile::kFrames / Tile::kRowsAtOnce, kTogether = kTurns < 4 ? kTurns : 4;
  static_assert(kTurns % kTogether == 0);
  const int chunk = static_cast<int>(threadIdx.x) % Tile::kChannelThreads;
  const int o = place.first_channel + chunk * Tile::kChunk;
  if (chunk >= Tile::kChannelChunks || o >= c.outputs) return;
  const Ending ending(c, finish, o);
  int frame = static_cast<int>(threadIdx.x) / Tile::kChannelThreads;
  for (int turn = 0; turn < kTurns; turn += kTogether) {
    int64_t at[kTogether];  // or −1
    Vector<4> old[kTogether];
    DSF_UNROLLED
    for (int i = 0; i < kTogether; ++i) {
      const int row = place.first_row + frame + i * Tile::kRowsAtOnce;
      const int64_t u = int64_t{row} * c.phases + place.phase - c.cut;
      const bool exists = u >= 0 && u < c.length;
      at[i] = exists ? (place.sequence * c.length + u) * c.outputs + o : -1;
      if (exists) old[i] = ending.old(at[i]);
    }
    DSF_UNROLLED
    for (int i = 0; i < kTogether; ++i) {
      if (at[i] < 0) continue;
      const float* const from =
          shared + (frame + i * Tile::kRowsAtOnce) * Tile::kSumsPitch + chunk * Tile::kChunk;
      ending.finish_four(at[i], slices_sum<Tile>(from), old[i]);
    }
    frame += kTogether * Tile::kRowsAtOnce;
  }
}

}  // namespace

template <class Tile, Precision precision>
__global__ static void __launch_bounds__(Tile::kThreads)
    convolution_mma_kernel(Convolution c, Finish finish, ConvolutionWindow window) {
  auto* const stages = dynamic_shared<float>();
  float* const windows = stages + Tile::kStages * Tile::kStageFloats;
  const Place place(c, Tile::kFrames, Tile::kChannels);
  Loader<Tile> loader{c, place, window, {}};
  Cursor<Tile> at;
  Sums<Tile> sums;
  for (int ahead = 0; ahead < Tile::kStages - 1; ++ahead) loader.fetch(stages, windows);
  const int last_shift = c.step < 0 ? ConvolutionWindow::reach(c) : 0;
  const int count = place.taps * ((c.inputs + Tile::kDepth - 1) / Tile::kDepth);
  for (int i = 0; i < count; ++i) {
    __pipeline_wait_prior(Tile::kStages - 2);
    __syncthreads();  // everybody's copies are there, and nobody multiplies the stage before
    loader.fetch(stages, windows);
    const int shift = window.of_all_taps ? last_shift + at.tap * c.step : 0;
    sums.template add_products<precision>(windows + at.slot * window.rows * Tile::kDepth, shift,
                                          stages + at.stage * Tile::kStageFloats);
    at.advance(place, window);
  }
  __syncthreads();  // nobody multiplies what is overwritten
  sums.put(stages);
  __syncthreads();
  finish_tile<Tile>(c, place, finish, stages);
}

namespace {

template <class Tile>
void launch_tiles(const Context& ctx, const Convolution& c, Finish finish,
                  const ConvolutionPlan& plan) {
  launch(ctx.precision == Precision::tf32 ? convolution_mma_kernel<Tile, Precision::tf32>
                                          : convolution_mma_kernel<Tile, Precision::bf16>,
         plan.grid, Tile::kThreads, plan.window.shared_bytes<Tile>(), stream_of(ctx), c, finish,
         plan.window);
}

struct Choice {
  ConvolutionPlan (*plan)(const Convolution&, Precision);
  void (*launch)(const Context&, const Convolution&, Finish, const ConvolutionPlan&);
};
template <class Tile>
constexpr Choice choice() {
  return {ConvolutionPlan::of<Tile>, launch_tiles<Tile>};
}

/// In the order of kConvolutionTiles.
constexpr Choice kChoices[] = {
    choice<Tile<256, 96, 64, 48, 1>>(), choice<Tile<128, 128, 64, 64, 1>>(),
    choice<Tile<128, 96, 64, 48, 1>>(), choice<Tile<64, 64, 32, 32, 1>>(),
    choice<Tile<32, 32, 32, 32, 4>>(),  // where few blocks have many terms to add
};
static_assert(std::size(kChoices) == std::size(kConvolutionTiles));

}  // namespace

bool fits_tensor_cores(const Convolution& c) {
  return c.inputs % 4 == 0 && fits_vectors(c.outputs, {c.y, c.x, c.w, c.b, c.activated, c.alpha});
}

void convolve_in_tiles(const Context& ctx, const Convolution& c, Finish finish, size_t tile) {
  const Choice& choice = kChoices[tile];
  choice.launch(ctx, c, finish, choice.plan(c, ctx.precision));
}

void convolve_on_tensor_cores(const Context& ctx, const Convolution& c, Finish finish) {
  const Choice* best = nullptr;
  ConvolutionPlan least{};
  for (const Choice& choice : kChoices) {
    const ConvolutionPlan plan = choice.plan(c, ctx.precision);
    if (best && plan.cycles >= least.cycles) continue;
    best = &choice;
    least = plan;
  }
  best->launch(ctx, c, finish, least);
}

}  // namespace dsf::cuda
