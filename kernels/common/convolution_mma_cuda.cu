// Convolutions on tensor cores: products of matrices whose left one, the frames of x under each tap
// side by side, is never stored. Tiles of it and of w are copied to shared memory, some ahead of
// those that are multiplied.
#include <algorithm>

#include "kernels/common/convolution.h"
#include "kernels/common/launch.h"
#include "kernels/common/tensor_cores.h"
#include "kernels/common/vector.h"
#include "kernels/snake/snake_cuda.h"

namespace dsf::cuda {

namespace {

/// A block computes `frames` x `channels` of y, a warp `warp_frames` x `warp_channels` of them.
/// `slices` warps share such a part: each multiplies every `slices`-th step of the sums' terms.
template <int frames, int channels, int warp_frames, int warp_channels, int slices>
struct Tile {
  static constexpr int kFrames = frames, kChannels = channels, kSlices = slices;
  static constexpr int kWarpFrames = warp_frames, kWarpChannels = warp_channels;
  static constexpr int kWarpsAcross = channels / warp_channels;
  static constexpr int kParts = frames / warp_frames * kWarpsAcross;  // of y, a warp's each
  static constexpr int kThreads = kParts * slices * kWarpSize;
  static constexpr int kStep = 16;  // terms that a warp multiplies at a time
  /// Terms of a stage, all of one tap, and stages in shared memory.
  static constexpr int kDepth = slices > 2 ? slices *kStep : 32, kStages = 3;
  static constexpr int kChunk = 4;  // floats of an asynchronous copy
  static constexpr int kFrameChunks = kDepth / kChunk, kChannelChunks = channels / kChunk;
  static constexpr int kStageFloats = (frames + channels) * kDepth;
  static constexpr size_t kShared = sizeof(float) * kStages * kStageFloats;
  static_assert(kThreads % kFrameChunks == 0 && frames * kFrameChunks % kThreads == 0);
  static_assert(kDepth * kChannelChunks % kThreads == 0 && channels % 32 == 0);
  /// Of the sums in shared memory, at the end: two frames' lie in different banks.
  static constexpr int kSumsPitch = channels + 16;
  static_assert(slices * frames * kSumsPitch <= kStages * kStageFloats);

  /// Where terms `chunk`·4 … of a frame lie in a stage's tile of x, and where channel `channel` of
  /// term `depth` in its tile of w. A warp reads 8 frames, or 4 terms 4 apart, at a time: these lie
  /// in different banks.
  __device__ static int x_place(int frame, int chunk) {
    return frame * kDepth + (chunk ^ (frame % 2 * 4)) * kChunk;
  }
  __device__ static int w_place(int depth, int channel) {
    return depth * kChannels + (channel ^ (depth / 4 % 4 * 8));
  }
};

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

/// Copies stage after stage to shared memory.
template <class Tile>
struct Loader {
  const Convolution& c;
  const Place& place;
  const float* x;  // of the sequence
  int tap = 0, first_input = 0;

  __device__ Loader(const Convolution& convolution, const Place& of_block)
      : c(convolution),
        place(of_block),
        x(convolution.x + of_block.sequence * convolution.frames * convolution.inputs) {}

  __device__ static void copy(float* to, const float* from, bool exists, const float* any) {
    __pipeline_memcpy_async(to, exists ? from : any, sizeof(Vector<4>),
                            exists ? 0 : sizeof(Vector<4>));
  }

  /// Begins to copy the next stage; behind the last there is nothing to copy.
  __device__ void fetch(float* stage) {
    if (tap < place.taps) {
      fetch_x(stage);
      fetch_w(stage + Tile::kFrames * Tile::kDepth);
    }
    __pipeline_commit();
    first_input += Tile::kDepth;
    if (first_input >= c.inputs) {
      first_input = 0;
      ++tap;
    }
  }
  __device__ void fetch_x(float* xs) const {
    const int chunk = static_cast<int>(threadIdx.x) % Tile::kFrameChunks;
    const int input = first_input + chunk * Tile::kChunk, offset = tap * c.step + c.offset;
    int frame = static_cast<int>(threadIdx.x) / Tile::kFrameChunks;
    for (int i = 0; i < Tile::kFrames * Tile::kFrameChunks / Tile::kThreads; ++i) {
      const int t = (place.first_row + frame) * c.stride + offset;
      const bool exists = t >= 0 && t < c.frames && input < c.inputs;
      copy(xs + Tile::x_place(frame, chunk), x + int64_t{t} * c.inputs + input, exists, x);
      frame += Tile::kThreads / Tile::kFrameChunks;
    }
  }
  __device__ void fetch_w(float* ws) const {
    const int64_t first = int64_t{place.phase + tap * c.phases} * c.tap_rows;
    for (int i = 0; i < Tile::kDepth * Tile::kChannelChunks / Tile::kThreads; ++i) {
      const int copied = static_cast<int>(threadIdx.x) + i * Tile::kThreads;
      const int depth = copied / Tile::kChannelChunks, input = first_input + depth;
      const int channel = copied % Tile::kChannelChunks * Tile::kChunk;
      const int o = place.first_channel + channel;
      const int64_t row = first + int64_t{input} * c.input_rows;
      copy(ws + Tile::w_place(depth, channel), c.w + row * c.outputs + o,
           input < c.inputs && o < c.outputs, c.w);
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

  template <Precision precision>
  __device__ void add_products(const float* xs, const float* ws) {
    DSF_ROLLED  // two steps' terms do not fit the registers
    for (int step = 0; step < Tile::kDepth / Tile::kStep; step += Tile::kSlices) {
      add_step<precision>(xs, ws, step + slice);
    }
  }
  template <Precision precision>
  __device__ void add_step(const float* xs, const float* ws, int step) {
    using Four = Terms<precision>;
    Four columns[2 * kPairs];
    for (int pair = 0; pair < kPairs; ++pair) {
      Vector<2> w[4];
      for (int k = 0; k < 4; ++k) {
        const int depth = step * Tile::kStep + t * 4 + k;
        w[k] = load<2>(ws + Tile::w_place(depth, channel(pair) + group * 2));
      }
      columns[2 * pair] = Four(w[0][0], w[1][0], w[2][0], w[3][0]);
      columns[2 * pair + 1] = Four(w[0][1], w[1][1], w[2][1], w[3][1]);
    }
    for (int i = 0; i < kRowFragments; ++i) {
      const int chunk = step * Tile::kStep / Tile::kChunk + t;
      const Vector<4> high = load<4>(xs + Tile::x_place(frame(i), chunk));
      const Vector<4> low = load<4>(xs + Tile::x_place(frame(i) + 8, chunk));
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

/// What becomes of sums of y[at] … y[at + 3], of channels o … o + 3.
__device__ inline void finish_four(const Convolution& c, Finish finish, int64_t at, int o,
                                   Vector<4> values) {
  const Vector<4> bias = c.b ? load<4>(c.b + o) : Vector<4>{};
  const Vector<4> old = finish == Finish::add ? load<4>(c.y + at) : Vector<4>{};
  for (int k = 0; k < 4; ++k) values[k] += bias[k] + old[k];
  if (finish == Finish::tanh) {
    for (int k = 0; k < 4; ++k) values[k] = tanhf(values[k]);
  }
  if (c.activated != c.y) store(c.y + at, values);
  if (!c.activated) return;
  const Vector<4> alpha = load<4>(c.alpha + o);
  for (int k = 0; k < 4; ++k) values[k] = snake(values[k], alpha[k]);
  store(c.activated + at, values);
}

/// Adds the slices' sums in the order of their numbers, and finishes them.
template <class Tile>
__device__ void finish_tile(const Convolution& c, const Place& place, Finish finish,
                            const float* shared) {
  constexpr int kFours = Tile::kFrames * Tile::kChannelChunks;
  for (int i = static_cast<int>(threadIdx.x); i < kFours; i += Tile::kThreads) {
    const int frame = i / Tile::kChannelChunks, channel = i % Tile::kChannelChunks * 4;
    const int o = place.first_channel + channel;
    const int64_t u = int64_t{place.first_row + frame} * c.phases + place.phase - c.cut;
    if (o >= c.outputs || u < 0 || u >= c.length) continue;
    Vector<4> sums{};
    for (int slice = 0; slice < Tile::kSlices; ++slice) {
      const int row = slice * Tile::kFrames + frame;
      const Vector<4> values = load<4>(shared + row * Tile::kSumsPitch + channel);
      for (int k = 0; k < 4; ++k) sums[k] += values[k];
    }
    finish_four(c, finish, (place.sequence * c.length + u) * c.outputs + o, o, sums);
  }
}

}  // namespace

template <class Tile, Precision precision>
__global__ static void __launch_bounds__(Tile::kThreads)
    convolution_mma_kernel(Convolution c, Finish finish) {
  auto* const stages = dynamic_shared<float>();
  const auto stage = [&](int number) {
    return stages + number % Tile::kStages * Tile::kStageFloats;
  };
  const Place place(c, Tile::kFrames, Tile::kChannels);
  Loader<Tile> loader(c, place);
  Sums<Tile> sums;
  for (int ahead = 0; ahead < Tile::kStages - 1; ++ahead) loader.fetch(stage(ahead));
  const int count = place.taps * ((c.inputs + Tile::kDepth - 1) / Tile::kDepth);
  for (int at = 0; at < count; ++at) {
    __pipeline_wait_prior(Tile::kStages - 2);
    __syncthreads();  // everybody's copies are there, and nobody multiplies the stage before
    loader.fetch(stage(at + Tile::kStages - 1));
    const float* const xs = stage(at);
    sums.template add_products<precision>(xs, xs + Tile::kFrames * Tile::kDepth);
  }
  __syncthreads();  // nobody multiplies what is overwritten
  sums.put(stages);
  __syncthreads();
  finish_tile<Tile>(c, place, finish, stages);
}

namespace {

using Large = Tile<128, 128, 64, 64, 1>;
using Narrow = Tile<128, 96, 64, 48, 1>;
using Medium = Tile<64, 64, 32, 32, 1>;
/// Where few blocks have many terms to add.
using Small = Tile<32, 32, 32, 32, 4>;

/// A launch's grid, and about how long it takes.
struct Plan {
  dim3 grid;
  double cost;

  /// `rate`: how fast a block of the tile multiplies, beside others' of other tiles.
  template <class Tile>
  static Plan of(const Convolution& c, double rate) {
    const int64_t rows = divide_up(int64_t{c.length} + c.cut, c.phases);
    const dim3 grid(static_cast<unsigned>(divide_up(rows, Tile::kFrames)),
                    static_cast<unsigned>(divide_up(c.outputs, Tile::kChannels)),
                    static_cast<unsigned>(c.sequences * c.phases));
    const int64_t rounds = divide_up(int64_t{grid.x} * grid.y * grid.z, multiprocessors());
    return {grid, static_cast<double>(rounds * Tile::kFrames * Tile::kChannels) / rate};
  }
};

template <class Tile>
void launch_tiles(const Context& ctx, const Convolution& c, Finish finish, const Plan& plan) {
  launch(ctx.precision == Precision::tf32 ? convolution_mma_kernel<Tile, Precision::tf32>
                                          : convolution_mma_kernel<Tile, Precision::bf16>,
         plan.grid, Tile::kThreads, Tile::kShared, stream_of(ctx), c, finish);
}

}  // namespace

bool fits_tensor_cores(const Convolution& c) {
  return c.inputs % 4 == 0 && fits_vectors(c.outputs, {c.y, c.x, c.w, c.b, c.activated, c.alpha});
}

void convolve_on_tensor_cores(const Context& ctx, const Convolution& c, Finish finish) {
  const Plan large = Plan::of<Large>(c, 1.0), narrow = Plan::of<Narrow>(c, 0.95);
  const Plan medium = Plan::of<Medium>(c, 0.7), small = Plan::of<Small>(c, 0.4);
  const double least = std::min({large.cost, narrow.cost, medium.cost, small.cost});
  if (least == large.cost) {
    launch_tiles<Large>(ctx, c, finish, large);
  } else if (least == narrow.cost) {
    launch_tiles<Narrow>(ctx, c, finish, narrow);
  } else if (least == medium.cost) {
    launch_tiles<Medium>(ctx, c, finish, medium);
  } else {
    launch_tiles<Small>(ctx, c, finish, small);
  }
}

}  // namespace dsf::cuda
