#pragma once
// How convolutions are cut into tiles, and which tiles are taken.
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/common/convolution.h"
#include "kernels/common/launch.h"

namespace dsf::cuda {

/// A number of bf16.
using Bf16 = uint16_t;

/// A block computes `frames` x `channels` of y, a warp `warp_frames` x `warp_channels` of them.
/// `slices` warps share such a part: each multiplies every `slices`-th step of the sums' terms. x
/// and w are of Operand, float or Bf16.
template <class Operand, int frames, int channels, int warp_frames, int warp_channels, int slices>
struct Tile {
  using Number = Operand;
  static constexpr int kFrames = frames, kChannels = channels, kSlices = slices;
  static constexpr int kWarpFrames = warp_frames, kWarpChannels = warp_channels;
  static constexpr int kWarpsAcross = channels / warp_channels;
  static constexpr int kParts = frames / warp_frames * kWarpsAcross;  // of y, a warp's each
  static constexpr int kThreads = kParts * slices * kWarpSize;
  /// A thread's, at most or about, and blocks that a multiprocessor's suffice for.
  static constexpr int kSumsOfThread = warp_frames * warp_channels / kWarpSize;
  static constexpr int kRegisters = kSumsOfThread <= 64 ? 128 : kSumsOfThread + 92;
  static constexpr int kBlocksTogether = 65536 / (kThreads * kRegisters);
  static constexpr int kStep = 16;  // terms that a warp multiplies at a time
  /// Terms of a stage, all of one tap, and stages of w in shared memory.
  static constexpr int kDepth = sizeof(Number) == 2 || slices > 2 ? 64 : 32, kStages = 3;
  static constexpr int kChunk = 16 / sizeof(Number);  // numbers of an asynchronous copy
  /// Terms of a channel that lie side by side in w: a row of it are those of all channels.
  static constexpr int kTogether = sizeof(Number) == 2 ? 4 : 1;
  static constexpr int kDepthRows = kDepth / kTogether;
  /// Channels of a chunk of w. Chunks of a row of x and of w, and rows of each that all threads
  /// copy at a time; of w's a power of two of threads has each row, some of them no chunk, so that
  /// nothing is divided.
  static constexpr int kChunkChannels = kChunk / kTogether;
  static constexpr int kFrameChunks = kDepth / kChunk, kChannelChunks = channels / kChunkChannels;
  static constexpr int kChannelThreads =
      static_cast<int>(std::bit_ceil(unsigned{channels})) / kChunkChannels;
  static constexpr int kFramesAtOnce = kThreads / kFrameChunks;
  static constexpr int kRowsAtOnce = kThreads / kChannelThreads;
  static constexpr int kStageNumbers = channels * kDepth;
  static_assert(frames % kFramesAtOnce == 0 && kDepthRows % kRowsAtOnce == 0);
  static_assert(kFramesAtOnce % 4 == 0 && channels % 32 == 0 && warp_channels >= 32);
  /// Of the sums in shared memory, at the end: two frames' lie in different banks. A thread
  /// finishes 4 channels, of so many frames at once.
  static constexpr int kSumsPitch = channels + 16;
  static constexpr int kSumsFloats = slices * frames * kSumsPitch;
  static constexpr int kSumsThreads = static_cast<int>(std::bit_ceil(unsigned{channels})) / 4;
  static constexpr int kSumsAtOnce = kThreads / kSumsThreads;

  /// Where term `term` of a row lies in a window of x, and where channel `channel` of term `depth`
  /// in a stage of w. A warp reads 4 terms of 8 rows, or 2 channels of 4 terms 4 apart, at a time:
  /// what is read by one instruction at once lies in different banks.
  __device__ static int x_place(int row, int term) {
    const int moved = sizeof(Number) == 4 ? row % 2 * 4 : row % 4 * 2;
    return row * kDepth + ((term / kChunk) ^ moved) * kChunk + term % kChunk;
  }
  __device__ static int w_place(int depth, int channel) {
    const int moved = depth / 4 % 4 * (kTogether == 1 ? 8 : 4);
    return (depth / kTogether * kChannels + (channel ^ moved)) * kTogether + depth % kTogether;
  }
};

/// Rows of x that lie in shared memory at a time: those under all taps of a block's frames, which
/// are copied once for all of them, or, where these are too many, those under one.
struct ConvolutionWindow {
  static constexpr int kMostBeyond = 64;  // rows that a block's frames do not have themselves
  bool of_all_taps;
  int rows, count;  // windows in shared memory

  template <class Tile>
  static ConvolutionWindow of(const Convolution& c) {
    const int beyond = reach(c);
    const bool all = c.stride == 1 && beyond <= kMostBeyond;
    const int rows = Tile::kFrames + (all ? beyond : 0);
    // A window is copied two stages before it is multiplied: the third, where it has but one.
    const int count = all && c.kernel / c.phases > 1 ? 2 : 3;
    return {all, static_cast<int>(divide_up(rows, Tile::kFramesAtOnce)) * Tile::kFramesAtOnce,
            count};
  }
  /// Rows between the first tap's and the last one's.
  __host__ __device__ static int reach(const Convolution& c) {
    return ((c.kernel + c.phases - 1) / c.phases - 1) * (c.step < 0 ? -c.step : c.step);
  }
  template <class Tile>
  size_t shared_bytes() const {
    const int numbers = Tile::kStages * Tile::kStageNumbers + count * rows * Tile::kDepth;
    return std::max(sizeof(typename Tile::Number) * numbers, sizeof(float) * Tile::kSumsFloats);
  }
};

/// A launch's grid, and about how many cycles it takes on an H100. Only their order matters: what
/// is not said here is the same in all tiles or small. Without end, where a block of this device
/// has too little shared memory.
struct ConvolutionPlan {
  dim3 grid;
  ConvolutionWindow window;
  double cycles;

  template <class Tile, class Sums>
  static ConvolutionPlan of(const Convolution& c) {
    const ConvolutionWindow window = ConvolutionWindow::of<Tile>(c);
    const int64_t rows = divide_up(int64_t{c.length} + c.cut, c.phases);
    const dim3 grid(static_cast<unsigned>(divide_up(rows, Tile::kFrames)),
                    static_cast<unsigned>(divide_up(c.outputs, Tile::kChannels)),
                    static_cast<unsigned>(c.sequences * c.phases));
    const int taps = std::max(1, c.kernel / c.phases);
    const auto stages = static_cast<double>(taps * divide_up(c.inputs, Tile::kDepth));
    // Fitted to an H100's times of the official decoder's convolutions in every tile, which it
    // gives to 12 % (bench/results/convolutions.md). What a stage takes of a multiprocessor: its
    // shared memory, 128 bytes a cycle, is written by copies and read by each warp; it does so many
    // products.
    const double copied = sizeof(typename Tile::Number) * Tile::kDepth *
                          (Tile::kChannels + window.rows / (window.of_all_taps ? 1.0 * taps : 1.0));
    const double read = sizeof(typename Tile::Number) * Tile::kDepth * Tile::kParts *
                        (Tile::kWarpFrames + Tile::kWarpChannels);
    const double products =
        1.0 * Tile::kFrames * Tile::kChannels * Tile::kDepth / Sums::kProductsPerCycle +
        Sums::kCyclesOfStage;
    const double busy = std::max((copied + read) / 128, products);
    // Blocks that a multiprocessor runs together: they fill each other's waiting.
    const double alone = busy + 370;
    if (window.shared_bytes<Tile>() > max_shared_bytes()) return {grid, window, INFINITY};
    const auto shared = static_cast<double>(window.shared_bytes<Tile>() + 1024);
    const auto together =
        static_cast<int64_t>(std::min(228.0 * 1024 / shared, 1.0 * Tile::kBlocksTogether));
    // Of a block: its sums are finished.
    const double end = Tile::kFrames * std::min(Tile::kChannels, c.outputs) / 4.0;
    const auto cycles_of = [&](int64_t blocks) {
      const auto n = static_cast<double>(blocks);
      return n == 0 ? 0 : 4200 + stages * std::max(alone, n * busy) + n * end;
    };
    const int64_t blocks = int64_t{grid.x} * grid.y * grid.z;
    const int64_t each = divide_up(blocks, multiprocessors());
    const double computing =
        static_cast<double>(each / together) * cycles_of(together) + cycles_of(each % together);
    // The second cache gives all of them together some 2,500 bytes a cycle.
    const double copying = static_cast<double>(blocks) * stages * copied / 2500;
    // What is read and written once, at 1,540 bytes a cycle of all: the more warps there are, the
    // more of it goes on while others multiply.
    constexpr int kWarps = Tile::kThreads / kWarpSize;
    const double passed = 5.0 / static_cast<double>(kWarps * together) * passed_bytes(c) / 1540;
    return {grid, window, std::max(computing, copying) + passed};
  }

  static double passed_bytes(const Convolution& c) {
    const double results = 1.0 * c.sequences * c.length * c.outputs;
    const bool keeps_y = c.y != c.activated;
    return 1.0 * c.sequences * c.frames * c.inputs * (c.bf16.x ? 2 : 4) +
           results * ((keeps_y ? 4 : 0) + (c.activated ? c.bf16.activated ? 2 : 4 : 0));
  }
};

}  // namespace dsf::cuda
