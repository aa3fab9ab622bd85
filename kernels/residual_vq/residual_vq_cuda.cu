#include "kernels/common/launch.h"
#include "kernels/common/reduce.h"
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

// A block to a frame, whose residual stays in shared memory from codebook to codebook.
static constexpr int kEncodeThreads = 256;

struct EncodeSize {
  int64_t frames;
  int used, codes, dims, latents;
};

/// p = b + residual·w, a warp to a dimension.
__device__ static void project(float* p, const float* residual, const float* w, const float* b,
                               const EncodeSize& size) {
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  for (int d = warp; d < size.dims; d += kEncodeThreads / kWarpSize) {
    float sum = 0;
    for (int l = lane; l < size.latents; l += kWarpSize) sum += residual[l] * w[l * size.dims + d];
    sum = warp_sum(sum);
    if (lane == 0) p[d] = sum + b[d];
  }
}

struct Smaller {
  __device__ int operator()(int a, int b) const { return a < b ? a : b; }
};

__device__ static bool has_nearest(const float* p, const EncodeSize& size) {
  bool all = true;
  for (int d = 0; d < size.dims; ++d) all = all && fabsf(p[d]) <= kMaxProjection;
  return all;
}

/// The first of the codewords with the largest p·direction, −1 if no product is a number; every
/// thread gets it.
__device__ static int nearest(const float* p, const float* directions, const EncodeSize& size) {
  float best = -INFINITY;
  int code = size.codes;
  for (int v = static_cast<int>(threadIdx.x); v < size.codes; v += kEncodeThreads) {
    float score = 0;
    for (int d = 0; d < size.dims; ++d) score += p[d] * directions[d * size.codes + v];
    if (score > best) {
      best = score;
      code = v;
    }
  }
  const float largest = block_max(best);
  code = block_reduce(best == largest ? code : size.codes, size.codes, Smaller{});
  return code < size.codes ? code : -1;
}

__global__ static void encode_kernel(int32_t* codes, float* projections, float* residuals,
                                     const float* w_in, const float* b_in, const float* directions,
                                     const float* codebooks, const float* w, const float* b,
                                     EncodeSize size) {
  auto* const residual = dynamic_shared<float>();  // [latents], and then p [dims]
  float* const p = residual + size.latents;
  const int64_t row = blockIdx.x;
  float* const global = residuals + row * size.latents;
  const auto for_latents = [&](const auto& work) {
    for (int l = static_cast<int>(threadIdx.x); l < size.latents; l += kEncodeThreads) work(l);
  };
  for_latents([&](int l) { residual[l] = global[l]; });
  __syncthreads();
  int32_t* const code_of_frame =
      codes + row / size.frames * size.used * size.frames + row % size.frames;
  for (int m = 0; m < size.used; ++m) {
    const int64_t projection = int64_t{m} * size.latents * size.dims;
    project(p, residual, w_in + projection, b_in + m * size.dims, size);
    __syncthreads();
    int code = -1;
    if (has_nearest(p, size)) {  // for all threads or for none
      code = nearest(p, directions + int64_t{m} * size.dims * size.codes, size);  // waits for all
    }
    if (threadIdx.x == 0) code_of_frame[m * size.frames] = code;
    for (int d = static_cast<int>(threadIdx.x); d < size.dims; d += kEncodeThreads) {
      projections[(row * size.used + m) * size.dims + d] = p[d];
    }
    if (code >= 0) {
      const float* const codeword = codebooks + (int64_t{m} * size.codes + code) * size.dims;
      for_latents([&](int l) {
        float sum = b[m * size.latents + l];
        for (int d = 0; d < size.dims; ++d) {
          sum += codeword[d] * w[projection + d * size.latents + l];
        }
        residual[l] -= sum;
      });
    }
    __syncthreads();
  }
  for_latents([&](int l) { global[l] = residual[l]; });
}

void residual_vq_encode(const Context& ctx, IndexTensor codes, Tensor projections, Tensor residual,
                        const ResidualVq& vq, const ResidualVqSearch& search) {
  const EncodeSize size{codes.dim(2), static_cast<int>(codes.dim(1)),
                        static_cast<int>(vq.codebooks.dim(1)),
                        static_cast<int>(vq.codebooks.dim(2)), static_cast<int>(vq.w.dim(2))};
  launch(encode_kernel, residual.rows(), kEncodeThreads,
         static_cast<size_t>(size.latents + size.dims) * sizeof(float), stream_of(ctx), codes.data,
         projections.data, residual.data, search.w.data, search.b.data, search.directions.data,
         vq.codebooks.data, vq.w.data, vq.b.data, size);
}

}  // namespace dsf::cuda
