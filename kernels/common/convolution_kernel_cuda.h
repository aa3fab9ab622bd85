#pragma once
// Convolutions by tiles: products of matrices whose left one, the frames of x under each tap side
// by side, is never stored. Windows of x and tiles of w are copied to shared memory, some ahead of
// those that are multiplied. What multiplies them, `Sums`, is each including source's own.
#include <algorithm>

#include "kernels/common/convolution_tiles_cuda.h"
#include "kernels/common/tensor_cores.h"
#include "kernels/common/vector.h"
#include "kernels/snake/snake_cuda.h"

namespace dsf::cuda {

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

/// Begins to copy 16 bytes to shared memory; zeros where they do not exist, and `from`, which then
/// may point anywhere, is not read.
__device__ inline void copy_async(void* to, const void* from, bool exists) {
#ifdef DSF_SIMT
  __pipeline_memcpy_async(to, from, 16, exists ? 0 : 16);
#else
  // CUDA's function branches where the number of zeros is not a constant.
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<uint32_t>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(exists ? 16 : 0)
               : "memory");
#endif
}

/// Copies stage after stage to shared memory.
template <class Tile>
struct Loader {
  using Number = typename Tile::Number;

  const Convolution& c;
  const Place& place;
  const ConvolutionWindow& window;
  Cursor<Tile> at;

  /// Begins to copy the next stage; behind the last there is nothing to copy.
  __device__ void fetch(Number* stages, Number* windows) {
    if (at.first_input < c.inputs && place.taps > 0) {
      if (at.tap == 0 || !window.of_all_taps) {
        fetch_x(windows + at.slot * window.rows * Tile::kDepth);
      }
      fetch_w(stages + at.stage * Tile::kStageNumbers);
    }
    __pipeline_commit();
    at.advance(place, window);
  }
  __device__ void fetch_x(Number* xs) const {
    const int chunk = static_cast<int>(threadIdx.x) % Tile::kFrameChunks;
    const int row = static_cast<int>(threadIdx.x) / Tile::kFrameChunks;
    const int input = at.first_input + chunk * Tile::kChunk;
    // The window of all taps begins under the first or, where they go back, under the last.
    const int tap =
        window.of_all_taps ? (c.step < 0 ? -ConvolutionWindow::reach(c) : 0) : at.tap * c.step;
    int t = (place.first_row + row) * c.stride + c.offset + tap;
    const Number* from =
        reinterpret_cast<const Number*>(c.x) + (place.sequence * c.frames + t) * c.inputs + input;
    Number* to = xs + Tile::x_place(row, chunk * Tile::kChunk);
    const int64_t next = int64_t{Tile::kFramesAtOnce * c.stride} * c.inputs;
    const unsigned frames = input < c.inputs ? static_cast<unsigned>(c.frames) : 0;
    for (int i = 0; i < window.rows; i += Tile::kFramesAtOnce) {
      copy_async(to, from, static_cast<unsigned>(t) < frames);  // not before the first either
      t += Tile::kFramesAtOnce * c.stride;
      from += next;
      to += Tile::kFramesAtOnce * Tile::kDepth;
    }
  }
  __device__ void fetch_w(Number* ws) const {
    const int chunk = static_cast<int>(threadIdx.x) % Tile::kChannelThreads;
    if (chunk >= Tile::kChannelChunks) return;
    const int first = static_cast<int>(threadIdx.x) / Tile::kChannelThreads;
    const int channel = chunk * Tile::kChunkChannels, o = place.first_channel + channel;
    const int64_t row = int64_t{place.phase + at.tap * c.phases} * c.tap_rows +
                        int64_t{at.first_input / Tile::kTogether + first} * c.input_rows;
    const Number* from =
        reinterpret_cast<const Number*>(c.w) + (row * c.outputs + o) * Tile::kTogether;
    const int64_t next = int64_t{Tile::kRowsAtOnce * c.input_rows} * c.outputs * Tile::kTogether;
    const int rows = o < c.outputs ? (c.inputs - at.first_input) / Tile::kTogether : 0;
    for (int i = first; i < first + Tile::kDepthRows; i += Tile::kRowsAtOnce) {
      copy_async(ws + Tile::w_place(i * Tile::kTogether, channel), from, i < rows);
      from += next;
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
    if (c.bf16.activated) {
      store_bf16(reinterpret_cast<Bf16*>(c.activated) + at, values);
    } else {
      store(c.activated + at, values);
    }
  }
  __device__ static void store_bf16(Bf16* to, const Vector<4>& values) {
    *reinterpret_cast<uint2*>(to) =
        make_uint2(pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]));
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
  constexpr int kTurns = Tile::kFrames / Tile::kSumsAtOnce, kTogether = kTurns < 4 ? kTurns : 4;
  static_assert(kTurns % kTogether == 0);
  const int channel = static_cast<int>(threadIdx.x) % Tile::kSumsThreads * 4;
  const int o = place.first_channel + channel;
  if (channel >= Tile::kChannels || o >= c.outputs) return;
  const Ending ending(c, finish, o);
  int frame = static_cast<int>(threadIdx.x) / Tile::kSumsThreads;
  for (int turn = 0; turn < kTurns; turn += kTogether) {
    int64_t at[kTogether];  // or −1
    Vector<4> old[kTogether];
    DSF_UNROLLED
    for (int i = 0; i < kTogether; ++i) {
      const int row = place.first_row + frame + i * Tile::kSumsAtOnce;
      const int64_t u = int64_t{row} * c.phases + place.phase - c.cut;
      const bool exists = u >= 0 && u < c.length;
      at[i] = exists ? (place.sequence * c.length + u) * c.outputs + o : -1;
      if (exists) old[i] = ending.old(at[i]);
    }
    DSF_UNROLLED
    for (int i = 0; i < kTogether; ++i) {
      if (at[i] < 0) continue;
      const float* const from =
          shared + (frame + i * Tile::kSumsAtOnce) * Tile::kSumsPitch + channel;
      ending.finish_four(at[i], slices_sum<Tile>(from), old[i]);
    }
    frame += kTogether * Tile::kSumsAtOnce;
  }
}

template <class Tile, class Sums>
__global__ static void __launch_bounds__(Tile::kThreads, Tile::kBlocksTogether)
    convolution_tile_kernel(Convolution c, Finish finish, ConvolutionWindow window) {
  using Number = typename Tile::Number;
  auto* const sums_place = dynamic_shared<float>();
  auto* const stages = reinterpret_cast<Number*>(sums_place);
  Number* const windows = stages + Tile::kStages * Tile::kStageNumbers;
  const Place place(c, Tile::kFrames, Tile::kChannels);
  Loader<Tile> loader{c, place, window, {}};
  Cursor<Tile> at;
  Sums sums;
  for (int ahead = 0; ahead < Tile::kStages - 1; ++ahead) loader.fetch(stages, windows);
  const int last_shift = c.step < 0 ? ConvolutionWindow::reach(c) : 0;
  const int count = place.taps * ((c.inputs + Tile::kDepth - 1) / Tile::kDepth);
  for (int i = 0; i < count; ++i) {
    __pipeline_wait_prior(Tile::kStages - 2);
    __syncthreads();  // everybody's copies are there, and nobody multiplies the stage before
    loader.fetch(stages, windows);
    const int shift = window.of_all_taps ? last_shift + at.tap * c.step : 0;
    sums.add_products(windows + at.slot * window.rows * Tile::kDepth, shift,
                      stages + at.stage * Tile::kStageNumbers);
    at.advance(place, window);
  }
  __syncthreads();  // nobody multiplies what is overwritten
  sums.put(sums_place);
  __syncthreads();
  finish_tile<Tile>(c, place, finish, sums_place);
}

struct ConvolutionChoice {
  ConvolutionPlan (*plan)(const Convolution&);
  void (*launch)(const Context&, const Convolution&, Finish, const ConvolutionPlan&);
};

template <class Tile, class Sums>
void launch_convolution(const Context& ctx, const Convolution& c, Finish finish,
                        const ConvolutionPlan& plan) {
  launch(convolution_tile_kernel<Tile, Sums>, plan.grid, Tile::kThreads,
         plan.window.shared_bytes<Tile>(), stream_of(ctx), c, finish, plan.window);
}

template <class Tile, class Sums>
constexpr ConvolutionChoice convolution_choice() {
  return {ConvolutionPlan::of<Tile, Sums>, launch_convolution<Tile, Sums>};
}

/// Which of `choices` has the fewest cycles.
template <size_t count>
size_t fastest(const Convolution& c, const ConvolutionChoice (&choices)[count]) {
  const auto cycles = [&](const ConvolutionChoice& choice) { return choice.plan(c).cycles; };
  return static_cast<size_t>(std::ranges::min_element(choices, {}, cycles) - choices);
}

inline void convolve_as(const Context& ctx, const Convolution& c, Finish finish,
                        const ConvolutionChoice& choice) {
  choice.launch(ctx, c, finish, choice.plan(c));
}

}  // namespace dsf::cuda
