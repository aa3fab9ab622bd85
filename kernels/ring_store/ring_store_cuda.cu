#include "kernels/common/counter_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/ring_store/ring_store.h"

namespace dsf::cuda {

static constexpr int kThreads = 256;

template <class T>
__global__ static void store_kernel(T* ring, int64_t entries, const T* x, int64_t size,
                                    Counter counter) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at < size) ring[value_of(counter) % entries * size + at] = x[at];
}

template <class T>
static void store_entry(const Context& ctx, TensorView<T> ring, TensorView<const T> x,
                        const Counter& counter) {
  launch(store_kernel<T>, divide_up(x.size(), kThreads), kThreads, 0, stream_of(ctx), ring.data,
         ring.dim(0), x.data, x.size(), counter);
}

void ring_store(const Context& ctx, Tensor ring, ConstTensor x, Counter counter) {
  store_entry(ctx, ring, x, counter);
}

void ring_store_indices(const Context& ctx, IndexTensor ring, ConstIndexTensor x, Counter counter) {
  store_entry(ctx, ring, x, counter);
}

__global__ static void advance_kernel(int64_t* counters, int64_t size) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at < size) ++counters[at];
}

void advance_counters(const Context& ctx, TensorView<int64_t> counters) {
  launch(advance_kernel, divide_up(counters.size(), kThreads), kThreads, 0, stream_of(ctx),
         counters.data, counters.size());
}

}  // namespace dsf::cuda
