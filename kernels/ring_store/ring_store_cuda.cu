#include "kernels/common/counter_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/ring_store/ring_store.h"

namespace dsf::cuda {

static constexpr int kThreads = 256;

__global__ static void store_kernel(float* ring, int64_t entries, const float* x, int64_t size,
                                    Counter counter) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at < size) ring[value_of(counter) % entries * size + at] = x[at];
}

void ring_store(const Context& ctx, Tensor ring, ConstTensor x, Counter counter) {
  launch(store_kernel, divide_up(x.size(), kThreads), kThreads, 0, stream_of(ctx), ring.data,
         ring.dim(0), x.data, x.size(), counter);
}

__global__ static void advance_kernel(int64_t* counters, int64_t size) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at < size) ++counters[at];
}

void advance_counters(const Context& ctx, TensorView<int64_t> counters) {
  launch(advance_kernel, divide_up(counters.size(), kThreads), kThreads, 0, stream_of(ctx),
         counters.data, counters.size());
}

/// One block: `counter` is read before any is advanced.
__global__ static void store_codes_kernel(int32_t* ring, int64_t entries, const int32_t* x,
                                          int64_t size, Counter counter, int64_t* counters,
                                          int64_t count) {
  int32_t* const entry = ring + value_of(counter) % entries * size;
  for (int64_t i = threadIdx.x; i < size; i += kThreads) entry[i] = x[i];
  __syncthreads();
  for (int64_t i = threadIdx.x; i < count; i += kThreads) ++counters[i];
}

void ring_store_codes(const Context& ctx, IndexTensor ring, ConstIndexTensor x, Counter counter,
                      TensorView<int64_t> counters) {
  launch(store_codes_kernel, 1, kThreads, 0, stream_of(ctx), ring.data, ring.dim(0), x.data,
         x.size(), counter, counters.data, counters ? counters.size() : 0);
}

}  // namespace dsf::cuda
