#include "kernels/common/launch.h"
#include "kernels/common/vector.h"
#include "kernels/residual_vq/residual_vq.h"

namespace dsf::cuda {

// A block to a few frames and a strip of latents, a thread to a latent of each of the frames.
static constexpr int kFrames = 4, kLatents = 128;

/// Sizes of a decode, as residual_vq.h names them.
struct DecodeSize {
  int64_t rows, frames;
  int used, codes, dims, latents;
};

/// Gathers the codewords of the block's frames, those of one dimension side by side. A code outside
/// its codebook gives NaN.
__device__ static void gather(float* codewords, const int32_t* codes, const float* codebooks,
                              int64_t first_row, const DecodeSize& size) {
  for (int i = static_cast<int>(threadIdx.x); i < size.used * size.dims * kFrames; i += kLatents) {
    const int64_t row = first_row + i % kFrames;
    const int codebook = i / kFrames / size.dims, dim = i / kFrames % size.dims;
    float value = 0;
    if (row < size.rows) {
      const int64_t sequence = row / size.frames;
      const int32_t code =
          codes[(sequence * size.used + codebook) * size.frames + row % size.frames];
      const int64_t codeword = int64_t{codebook} * size.codes + code;
      value = code >= 0 && code < size.codes ? codebooks[codeword * size.dims + dim] : NAN;
    }
    codewords[i] = value;
  }
}

__global__ static void decode_kernel(float* z, const int32_t* codes, const float* codebooks,
                                     const float* w, const float* b, DecodeSize size) {
  auto* const codewords = dynamic_shared<float>();
  const int64_t first_row = int64_t{blockIdx.x} * kFrames;
  gather(codewords, codes, codebooks, first_row, size);
  __syncthreads();
  const int latent = static_cast<int>(blockIdx.y * kLatents + threadIdx.x);
  if (latent >= size.latents) return;

  Vector<kFrames> sums{};
  for (int m = 0; m < size.used; ++m) {
    const float bias = b[m * size.latents + latent];
    for (int i = 0; i < kFrames; ++i) sums[i] += bias;
    for (int d = m * size.dims; d < (m + 1) * size.dims; ++d) {
      const float weight = w[int64_t{d} * size.latents + latent];
      const Vector<kFrames> values = load<kFrames>(codewords + d * kFrames);
      for (int i = 0; i < kFrames; ++i) sums[i] += values[i] * weight;
    }
  }
  for (int i = 0; i < kFrames; ++i) {
    if (first_row + i < size.rows) z[(first_row + i) * size.latents + latent] = sums[i];
  }
}

void residual_vq_decode(const Context& ctx, Tensor z, ConstIndexTensor codes,
                        const ResidualVq& vq) {
  const DecodeSize size{z.rows(),
                        codes.dim(2),
                        static_cast<int>(codes.dim(1)),
                        static_cast<int>(vq.codebooks.dim(1)),
                        static_cast<int>(vq.codebooks.dim(2)),
                        static_cast<int>(vq.w.dim(2))};
  const dim3 blocks(static_cast<unsigned>(divide_up(size.rows, kFrames)),
                    static_cast<unsigned>(divide_up(size.latents, kLatents)));
  launch(decode_kernel, blocks, kLatents,
         static_cast<size_t>(size.used * size.dims * kFrames) * sizeof(float), stream_of(ctx),
         z.data, codes.data, vq.codebooks.data, vq.w.data, vq.b.data, size);
}

}  // namespace dsf::cuda
