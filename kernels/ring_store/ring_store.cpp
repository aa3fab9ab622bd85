#include "kernels/ring_store/ring_store.h"

namespace dsf {

template <class Ring, class X>
static void check(const Context& ctx, const Ring& ring, const X& x, const Counter& counter) {
  DSF_CHECK(ring.dim(0) > 0 && ring.size() == ring.dim(0) * x.size(), "ring {} of x {}",
            ring.shape.str(), x.shape.str());
  DSF_CHECK(ctx.device != Device::cpu || (counter.value >= 0 && !counter.device),
            "counter {}; the CPU has no others than the host's", counter.value);
}

void ring_store(const Context& ctx, Tensor ring, ConstTensor x, Counter counter) {
  check(ctx, ring, x, counter);
  DSF_DISPATCH(ring_store, ctx, ring, x, counter);
}

void ring_store_codes(const Context& ctx, IndexTensor ring, ConstIndexTensor x, Counter counter,
                      TensorView<int64_t> counters) {
  check(ctx, ring, x, counter);
  DSF_DISPATCH(ring_store_codes, ctx, ring, x, counter, counters);
}

void advance_counters(const Context& ctx, TensorView<int64_t> counters) {
  DSF_DISPATCH(advance_counters, ctx, counters);
}

}  // namespace dsf
