// Convolutions on tensor cores.
#include <iterator>

#include "kernels/common/bf16_copies.h"
#include "kernels/common/convolution_kernel_cuda.h"
#include "kernels/common/tensor_cores.h"

namespace dsf::cuda {

namespace {

/// Four neighbouring terms of a frame or of a channel, as tensor cores take them.
template <Precision precision>
struct Terms;

template <>
struct Terms<Precision::tf32> {
  using Number = float;
  static constexpr int kProducts = 2, kProductsPerCycle = 500;
  uint32_t bits[4];

  __device__ Terms() {}
  __device__ Terms(float a, float b, float c, float d)
      : bits{to_tf32_when_cut(a), to_tf32_when_cut(b), to_tf32_when_cut(c), to_tf32_when_cut(d)} {}
  __device__ static Terms of_frame(const float* xs) {
    const Vector<4> x = load<4>(xs);
    return {x[0], x[1], x[2], x[3]};
  }
  /// Of two neighbouring channels of a stage with so many.
  __device__ static void of_channels(const float* ws, int channels, Terms& even, Terms& odd) {
    Vector<2> w[4];
    for (int k = 0; k < 4; ++k) w[k] = load<2>(ws + k * channels);
    even = Terms(w[0][0], w[1][0], w[2][0], w[3][0]);
    odd = Terms(w[0][1], w[1][1], w[2][1], w[3][1]);
  }
};

template <>
struct Terms<Precision::bf16> {
  using Number = Bf16;
  static constexpr int kProducts = 1, kProductsPerCycle = 900;
  uint32_t bits[2];

  __device__ static Terms of_frame(const Bf16* xs) {
    const uint2 x = *reinterpret_cast<const uint2*>(xs);
    return {{x.x, x.y}};
  }
  __device__ static void of_channels(const Bf16* ws, int, Terms& even, Terms& odd) {
    const uint4 w = *reinterpret_cast<const uint4*>(ws);
    even = {{w.x, w.y}};
    odd = {{w.z, w.w}};
  }
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
template <class Tile, Precision precision>
struct MmaSums {
  using Four = Terms<precision>;
  using Number = typename Tile::Number;
  /// Less where a warp loads more terms for each.
  static constexpr double kProductsPerCycle =
      Four::kProductsPerCycle / (1 + 6.5 / Tile::kWarpFrames + 6.5 / Tile::kWarpChannels);
  static constexpr double kCyclesOfStage = 0;
  static constexpr int kRowFragments = Tile::kWarpFrames / 16;
  static constexpr int kPairs = Tile::kWarpChannels / 16;
  float d[kRowFragments][2 * kPairs][4] = {};
  int group, t, part, slice;

  __device__ MmaSums()
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
  __device__ void add_products(const Number* xs, int shift, const Number* ws) {
    const int row = frame(0) + shift, first = slice * Tile::kStep;
    xs += row * Tile::kDepth;
    const int x_place = Tile::x_place(row, t * 4) - row * Tile::kDepth;
    const Number* pairs[2];  // the even ones, the odd ones
    for (int pair = 0; pair < 2; ++pair) {
      pairs[pair] = ws + first * Tile::kChannels + Tile::w_place(t * 4, channel(pair) + group * 2);
    }
    DSF_UNROLLED
    for (int depth = first; depth < Tile::kDepth; depth += Tile::kSlices * Tile::kStep) {
      add_step(xs + (x_place ^ depth), pairs[0], pairs[1]);
      pairs[0] += Tile::kSlices * Tile::kStep * Tile::kChannels;
      pairs[1] += Tile::kSlices * Tile::kStep * Tile::kChannels;
    }
  }
  __device__ void add_step(const Number* xs, const Number* even_pairs, const Number* odd_pairs) {
    Four columns[2 * kPairs];
    DSF_UNROLLED
    for (int pair = 0; pair < kPairs; ++pair) {
      const Number* const ws =
          (pair % 2 == 0 ? even_pairs : odd_pairs) + pair / 2 * 32 * Tile::kTogether;
      Four::of_channels(ws, Tile::kChannels, columns[2 * pair], columns[2 * pair + 1]);
    }
    DSF_UNROLLED
    for (int i = 0; i < kRowFragments; ++i) {
      const Four upper = Four::of_frame(xs + i * 16 * Tile::kDepth);
      const Four lower = Four::of_frame(xs + (i * 16 + 8) * Tile::kDepth);
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

template <Precision precision, int... sizes>
constexpr ConvolutionChoice choice() {
  using Cut = Tile<typename Terms<precision>::Number, sizes...>;
  return convolution_choice<Cut, MmaSums<Cut, precision>>();
}

/// In the order of kConvolutionTiles.
template <Precision precision>
constexpr ConvolutionChoice kChoices[std::size(kConvolutionTiles)] = {
    choice<precision, 256, 96, 64, 48, 1>(),
    choice<precision, 128, 128, 64, 64, 1>(),
    choice<precision, 128, 96, 64, 48, 1>(),
    choice<precision, 64, 64, 32, 32, 1>(),
    choice<precision, 32, 32, 32, 32, 4>(),  // where few blocks have many terms to add
    // Where memory binds, which more warps wait for. In TF32 their registers would not suffice.
    precision == Precision::bf16 ? choice<Precision::bf16, 128, 96, 32, 48, 1>()
                                 : choice<precision, 128, 96, 64, 48, 1>(),
};

}  // namespace

static const ConvolutionChoice (&choices(const Convolution& c))[std::size(kConvolutionTiles)] {
  return c.bf16.w ? kChoices<Precision::bf16> : kChoices<Precision::tf32>;
}

/// With rows of w as round_convolution_weights leaves them, and x in bf16, too.
static Convolution of_rounded(const Context& ctx, Convolution c) {
  c.tap_rows = c.inputs / 4;
  c.input_rows = 1;
  if (c.bf16.x) return c;
  const int64_t rows = int64_t{c.sequences} * c.frames;
  void* const rounded = bf16_memory(ctx, rows * c.inputs);
  const Bf16Copy copy{c.x, rows, c.inputs, c.inputs, rounded};
  round_to_bf16(ctx, {&copy, 1});
  c.x = static_cast<const float*>(rounded);
  c.bf16.x = true;
  return c;
}

size_t chosen_tile(const Convolution& c) {
  return fastest(c, choices(c));
}

void convolve_on_tensor_cores(const Context& ctx, const Convolution& c, Finish finish) {
  convolve_in_tiles(ctx, c, finish, chosen_tile(c));
}

void convolve_in_tiles(const Context& ctx, const Convolution& c, Finish finish, size_t tile) {
  const ConvolutionChoice& choice = choices(c)[tile];
  convolve_as(ctx, c.bf16.w ? of_rounded(ctx, c) : c, finish, choice);
}

static constexpr int kRoundThreads = 256;

/// A thread to a channel's four terms.
__global__ static void __launch_bounds__(kRoundThreads)
    round_weights_kernel(uint2* to, const float* w, int64_t count, int inputs, int outputs,
                         int64_t tap_stride, int64_t input_stride) {
  const int64_t at = int64_t{blockIdx.x} * kRoundThreads + threadIdx.x;
  if (at >= count) return;
  const int64_t o = at % outputs, quad = at / outputs;
  const int64_t tap = quad / (inputs / 4), first = quad % (inputs / 4) * 4;
  const float* const from = w + tap * tap_stride + first * input_stride + o;
  to[at] = make_uint2(pack_bf16(from[0], from[input_stride]),
                      pack_bf16(from[2 * input_stride], from[3 * input_stride]));
}

void round_convolution_weights(const Context& ctx, void* to, ConstTensor w, bool transposed) {
  const int64_t taps = w.dim(transposed ? 1 : 0), inputs = w.dim(transposed ? 0 : 1);
  const int64_t outputs = w.dim(2), count = w.size() / 4;
  DSF_CHECK(inputs % 4 == 0, "weights {}", w.shape.str());
  launch(round_weights_kernel, divide_up(count, kRoundThreads), kRoundThreads, 0, stream_of(ctx),
         static_cast<uint2*>(to), w.data, count, static_cast<int>(inputs),
         static_cast<int>(outputs), transposed ? outputs : inputs * outputs,
         transposed ? taps * outputs : outputs);
}

}  // namespace dsf::cuda
