#include <algorithm>

#include "kernels/ring_store/ring_store.h"

namespace dsf::cpu {

void ring_store(const Context&, Tensor ring, ConstTensor x, Counter counter) {
  std::copy_n(x.data, x.size(), ring.data + counter.value % ring.dim(0) * x.size());
}

void advance_counters(const Context&, TensorView<int64_t> counters) {
  for (int64_t i = 0; i < counters.size(); ++i) ++counters[i];
}

void ring_store_codes(const Context& ctx, IndexTensor ring, ConstIndexTensor x, Counter counter,
                      TensorView<int64_t> counters) {
  std::copy_n(x.data, x.size(), ring.data + counter.value % ring.dim(0) * x.size());
  if (counters) cpu::advance_counters(ctx, counters);
}

}  // namespace dsf::cpu
