// Convolutions in float32 whose rows can be copied four floats at a time.
#include "kernels/common/convolution_kernel_cuda.h"

namespace dsf::cuda {

namespace {

/// A warp's part of y: its lanes are 4 rows of 8, each with every fourth frame and every eighth
/// vector of channels, so that what they read at a time lies in different banks.
template <class Tile>
struct FloatSums {
  /// Instructions count: loads beside a thread's sums, and what a stage has once.
  static constexpr double kProductsPerCycle = 111 / (1 + 8.0 / Tile::kSumsOfThread);
  static constexpr double kCyclesOfStage = 1.2 * Tile::kThreads;
  static constexpr int kRows = Tile::kWarpFrames / 4;
  static constexpr int kWide = Tile::kWarpChannels % 32 == 0 ? 4 : 2;
  static constexpr int kVectors = Tile::kWarpChannels / (8 * kWide);
  Vector<kWide> d[kRows][kVectors] = {};
  int frame, channel, slice;  // the first of each

  __device__ FloatSums() {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) / kWarpSize, part = warp % Tile::kParts;
    frame = part / Tile::kWarpsAcross * Tile::kWarpFrames + lane / 8;
    channel = part % Tile::kWarpsAcross * Tile::kWarpChannels + lane % 8 * kWide;
    slice = warp / Tile::kParts;
  }

  /// `shift`: the row of the window that lies under the block's first frame.
  __device__ void add_products(const float* xs, int shift, const float* ws) {
    const int row = frame + shift;
    xs += row * Tile::kDepth;
    const int x_place = Tile::x_place(row, 0) - row * Tile::kDepth;
    DSF_ROLLED
    for (int step = slice * Tile::kStep; step < Tile::kDepth; step += Tile::kSlices * Tile::kStep) {
      DSF_UNROLLED
      for (int depth = 0; depth < Tile::kStep; depth += 4) {
        add_four(xs + (x_place ^ step ^ depth), ws + step * Tile::kChannels, depth);
      }
    }
  }
  __device__ void add_four(const float* xs, const float* ws, int depth) {
    Vector<4> x[kRows];
    DSF_UNROLLED
    for (int i = 0; i < kRows; ++i) x[i] = load<4>(xs + i * 4 * Tile::kDepth);
    DSF_UNROLLED
    for (int k = 0; k < 4; ++k) {
      DSF_UNROLLED
      for (int v = 0; v < kVectors; ++v) {
        const float* const from = ws + Tile::w_place(depth, channel + v * 8 * kWide);
        const Vector<kWide> w = load<kWide>(from + k * Tile::kChannels);
        DSF_UNROLLED
        for (int i = 0; i < kRows; ++i) {
          for (int o = 0; o < kWide; ++o) d[i][v][o] += x[i][k] * w[o];
        }
      }
    }
  }

  /// For finish_tile, which reads all slices' sums of a frame as a row.
  __device__ void put(float* shared) const {
    DSF_UNROLLED
    for (int i = 0; i < kRows; ++i) {
      const int row = slice * Tile::kFrames + frame + i * 4;
      DSF_UNROLLED
      for (int v = 0; v < kVectors; ++v) {
        store(shared + row * Tile::kSumsPitch + channel + v * 8 * kWide, d[i][v]);
      }
    }
  }
};

template <class Tile>
constexpr ConvolutionChoice choice() {
  return convolution_choice<Tile, FloatSums<Tile>>();
}

/// 128 channels would want 64 sums of each thread, and so more than half of the registers.
constexpr ConvolutionChoice kChoices[] = {
    choice<Tile<float, 128, 96, 32, 48, 1>>(), choice<Tile<float, 64, 64, 32, 32, 1>>(),
    choice<Tile<float, 32, 32, 32, 32, 4>>(),  // where few blocks have many terms to add
};

}  // namespace

void convolve_in_float_tiles(const Context& ctx, const Convolution& c, Finish finish) {
  convolve_as(ctx, c, finish, kChoices[fastest(c, kChoices)]);
}

}  // namespace dsf::cuda
