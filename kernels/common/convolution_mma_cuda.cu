// Convolutions on tensor cores.
#include <iterator>

#include "kernels/common/convolution_kernel_cuda.h"
#include "kernels/common/tensor_cores.h"

namespace dsf::cuda {

namespace {

/// Four neighbouring terms of a frame or of a channel, as tensor cores take them.
template <Precision precision>
struct Terms;

template <>
struct Terms<Precision::tf32> {
  static constexpr int kProducts = 2;
  uint32_t bits[4];

  __device__ Terms() {}
  __device__ Terms(float a, float b, float c, float d)
      : bits{to_tf32_when_cut(a), to_tf32_when_cut(b), to_tf32_when_cut(c), to_tf32_when_cut(d)} {}
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
template <class Tile, Precision precision>
struct MmaSums {
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
      add_step(xs + (x_place ^ depth), pairs[0], pairs[1]);
      pairs[0] += Tile::kSlices * Tile::kStep * Tile::kChannels;
      pairs[1] += Tile::kSlices * Tile::kStep * Tile::kChannels;
    }
  }
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

template <class Tile, Precision precision>
constexpr ConvolutionChoice choice() {
  return convolution_choice<Tile, MmaSums<Tile, precision>>();
}

/// In the order of kConvolutionTiles.
template <Precision precision>
constexpr ConvolutionChoice kChoices[std::size(kConvolutionTiles)] = {
    choice<Tile<256, 96, 64, 48, 1>, precision>(), choice<Tile<128, 128, 64, 64, 1>, precision>(),
    choice<Tile<128, 96, 64, 48, 1>, precision>(), choice<Tile<64, 64, 32, 32, 1>, precision>(),
    choice<Tile<32, 32, 32, 32, 4>, precision>(),  // where few blocks have many terms to add
};

}  // namespace

static const ConvolutionChoice (&choices(const Context& ctx))[std::size(kConvolutionTiles)] {
  return ctx.precision == Precision::tf32 ? kChoices<Precision::tf32> : kChoices<Precision::bf16>;
}

size_t chosen_tile(const Context& ctx, const Convolution& c) {
  return fastest(ctx, c, choices(ctx));
}

void convolve_on_tensor_cores(const Context& ctx, const Convolution& c, Finish finish) {
  convolve_in_tiles(ctx, c, finish, chosen_tile(ctx, c));
}

void convolve_in_tiles(const Context& ctx, const Convolution& c, Finish finish, size_t tile) {
  convolve_as(ctx, c, finish, choices(ctx)[tile]);
}

}  // namespace dsf::cuda
