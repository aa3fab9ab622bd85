#pragma once
// Which queries see which keys, and where heads lie: what all CUDA kernels of attention share.
#include "kernels/common/dropout_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/common/tensor.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

// --- Head sizes: kernels are compiled for some, and pad others with zeros in shared memory ---

inline constexpr int kHeadSizeStep = 32, kLargestHeadSize = 128;

inline int padded_head_size(int64_t head_size) {
  DSF_CHECK(head_size <= kLargestHeadSize, "heads of {}; on a GPU at most {}", head_size,
            kLargestHeadSize);
  return static_cast<int>(divide_up(head_size, kHeadSizeStep)) * kHeadSizeStep;
}

/// The kernel, or what else is of its template, for a padded head size.
template <class Kernel>
Kernel for_head_size(int padded, Kernel k32, Kernel k64, Kernel k96, Kernel k128) {
  const Kernel kernels[] = {k32, k64, k96, k128};
  return kernels[padded / kHeadSizeStep - 1];
}

// --- The band ---

/// Shapes of a call, as kernels take them.
struct Band {
  int length, embed, heads, head_size;
  int lookback;         // no more than the length
  int64_t row_factors;  // dropout factors of a query
  float scale;
  bool vectors;  // whether rows of heads can be read as Vector<4>
  DropoutFactors dropout;

  Band(ConstTensor q, int64_t head_count, int64_t band, const DropoutStream& stream,
       std::initializer_list<const float*> tensors)
      : length(static_cast<int>(q.dim(1))),
        embed(static_cast<int>(q.dim(2))),
        heads(static_cast<int>(head_count)),
        head_size(embed / heads),
        lookback(static_cast<int>(band < length ? band : length)),
        row_factors(band + 1),
        scale(1.0F / sqrtf(static_cast<float>(head_size))),
        vectors(fits_vectors(head_size, tensors)),
        dropout(stream) {}

  /// The first of the tiles of `tile` keys that queries from `query` on see.
  __device__ int first_key_tile(int query, int tile) const {
    return query > lookback ? (query - lookback) / tile * tile : 0;
  }
  __device__ bool sees(int query, int key) const { return key <= query && key >= query - lookback; }
};

/// The blocks of a kernel that gives one to each tile of `rows` rows of each head.
inline int64_t tile_blocks(const Band& band, int64_t batch, int rows) {
  return batch * band.heads * divide_up(band.length, rows);
}

/// A block's head and the first row of its tile.
struct TilePlace {
  int64_t first_row;  // the head's in softmax and among dropout's rows
  int64_t first;      // the head's first element in q, k, v, y
  int begin;

  __device__ TilePlace(const Band& band, int rows) {
    const unsigned tiles = static_cast<unsigned>((band.length + rows - 1) / rows);
    const unsigned head = blockIdx.x / tiles, heads = static_cast<unsigned>(band.heads);
    first_row = int64_t{head} * band.length;
    first =
        int64_t{head / heads} * band.length * band.embed + int64_t{head % heads} * band.head_size;
    begin = static_cast<int>(blockIdx.x % tiles) * rows;
  }
  /// Where row `row` of the head begins in q, k, v, y.
  __device__ int64_t offset(int row, const Band& band) const {
    return first + int64_t{row} * band.embed;
  }
};

// --- Products of rounded operands, by tensor cores (attention_mma.h) ---

/// Whether the ops are done so: where `ctx` asks for TF32 or bf16, and the device has the shared
/// memory, which only TF32's gradients of heads of more than 64 need much of. Else they are done in
/// float32, forward and backward, as backward takes up forward's softmax.
bool rounds_attention(const Context& ctx, const Band& band);

void attention_forward_rounded(const Context& ctx, const Band& band, Tensor y, Tensor softmax,
                               ConstTensor q, ConstTensor k, ConstTensor v);
void attention_backward_rounded(const Context& ctx, const Band& band, Gradient dq, Gradient dk,
                                Gradient dv, ConstTensor dy, ConstTensor y, Tensor softmax,
                                ConstTensor q, ConstTensor k, ConstTensor v);

}  // namespace dsf::cuda
