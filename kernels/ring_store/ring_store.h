#pragma once
// The newest of W entries: ring[counter mod W] = x.
#include "kernels/common/counter.h"
#include "kernels/common/dispatch.h"

namespace dsf {

/// ring [W, …], x of the extents behind W, counter ≥ 0.
DSF_OP(void ring_store(const Context& ctx, Tensor ring, ConstTensor x, Counter counter))

/// counters[i] += 1: what recorded work ends with, so that its next launch is of the next frame.
DSF_OP(void advance_counters(const Context& ctx, TensorView<int64_t> counters))

/// The same for few codes and, behind them, counters: what a frame ends with, in one launch.
/// `counters` may be empty, and `counter` one of them.
DSF_OP(void ring_store_codes(const Context& ctx, IndexTensor ring, ConstIndexTensor x,
                             Counter counter, TensorView<int64_t> counters))

}  // namespace dsf
