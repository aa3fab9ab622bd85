#pragma once
// What the kernel of a frame is given, where its blocks hand numbers to each other, and what a
// block has in shared memory.
#include <algorithm>

#include "kernels/common/counter_cuda.h"
#include "kernels/decode_step/row_products_cuda.h"

namespace dsf::cuda {

inline constexpr int kMaxLayers = 16;  // what a launch's arguments have room for

// Long rows, those of few outputs and a head's entries are cut so that all warps have work. The
// number is not the grid's, so that results do not depend on the device.
inline constexpr int kLogParts = 2, kParts = 1 << kLogParts;

struct StepLayer {
  const float *gamma1, *beta1, *gamma2, *beta2;
  float *keys, *values;
};

struct StepSizes {
  int streams;      // of this launch
  int all_streams;  // of which the rings have entries
  int embed, hidden, heads, head_size, window, layers, outputs;
};

/// Where blocks hand a layer's numbers to each other: offsets of arrays, each of whole vectors.
struct Exchange {
  int query, key, value;  // [B, E]
  int mixtures;           // [parts, B, E]: of the values of a part of the entries, not divided yet
  int weights;            // [B, H, 2, parts]: of a part, the largest score; the sum of the weights
  int branch1, branch2;   // [parts, B, E]: summands of what is added to x
  int hidden;             // [B, X·E]
  int size;

  Exchange() = default;
  explicit Exchange(const StepSizes& sizes) {
    int used = 0;
    const auto take = [&](int count) {
      const int begin = used;
      used += (count + 3) / 4 * 4;
      return begin;
    };
    const int state = sizes.streams * sizes.embed;
    query = take(state);
    key = take(state);
    value = take(state);
    mixtures = take(kParts * state);
    weights = take(sizes.streams * sizes.heads * 2 * kParts);
    branch1 = take(kParts * state);
    branch2 = take(kParts * state);
    hidden = take(sizes.streams * sizes.hidden);
    size = used;
  }
};

/// Columns [begin, begin + count) of a matrix in parts: those that a block's tasks are of.
struct BlockColumns {
  int begin, count;

  /// `cols` of all; task numbers of a block differ by multiples of the grid.
  __host__ __device__ BlockColumns(int cols, int blocks, int block) : begin(0), count(cols) {
    if (blocks % kParts != 0) return;
    const int columns = (cols + 4 * kParts - 1) / (4 * kParts) * 4;
    begin = block % kParts * columns < cols ? block % kParts * columns : cols;
    count = columns < cols - begin ? columns : cols - begin;
  }
};

/// A block's shared memory: arrays of floats, each of whole vectors.
struct Arrays {
  int weights;           // a WeightStream's
  int x;                 // [B, E], of all streams
  int modulated, shift;  // [B, E]
  int operands;          // [B, columns of a block]; while there are none, mixtures [threads · 4]
  int cosines, sines;    // [F]
  int query;             // [S]
  int scores;            // [entries of a part]
  int keys, values;      // [kept, S], of a part's first entries
  int kept;              // how many of them
  int size;

  Arrays() = default;
  /// `weight_floats`: of a WeightStream.
  Arrays(const StepSizes& sizes, int weight_floats, int blocks) {
    int used = 0;
    const auto take = [&](int count) {
      const int begin = used;
      used += (count + 3) / 4 * 4;
      return begin;
    };
    const int entries = (sizes.window + kParts - 1) / kParts;
    // Named, as GCC 14 reads the greater of two temporaries after their places were used again.
    const BlockColumns of_embed(sizes.embed, blocks, 0), of_hidden(sizes.hidden, blocks, 0);
    const int columns = std::max(of_embed.count, of_hidden.count);
    weights = take(weight_floats);
    x = take(sizes.streams * sizes.embed);
    modulated = take(sizes.streams * sizes.embed);
    shift = take(sizes.streams * sizes.embed);
    operands = take(std::max(sizes.streams * columns, kThreads * 4));
    cosines = take(sizes.head_size / 2);
    sines = take(sizes.head_size / 2);
    query = take(sizes.head_size);
    scores = take(entries);
    kept = std::min(entries, kKeptFloats / sizes.head_size);
    keys = take(kept * sizes.head_size);
    values = take(kept * sizes.head_size);
    size = used;
  }

 private:
  static constexpr int kKeptFloats = 4096;  // of either ring
};

struct Step {
  const int32_t* tokens;
  const float *embedding, *norm_w, *norm_b;
  float *logits, *exchange;
  Counter frame = 0, position = 0;
  // Here, as constants, they take no registers.
  StepSizes sizes;
  Exchange offsets;
  Arrays at;
  int codebooks, entries;  // of a codebook's table
  int first_stream;        // of this launch; to `layer`, all have conditions and entries
  int streams_per_condition;
  float scale;
  StepLayer layer[kMaxLayers];
  // In the order in which a frame goes through them: four of each layer and the head.
  Product product[4 * kMaxLayers + 1];
};

/// The products for a WeightStream.
struct StepProducts {
  const Step& step;
  __device__ int count() const { return 4 * step.sizes.layers + 1; }
  __device__ const Product& operator[](int number) const { return step.product[number]; }
};

__device__ inline float* shared(int array) {
  return dynamic_shared<float>() + array;
}

}  // namespace dsf::cuda
