#pragma once
// The barrier of all threads of a cooperative launch (launch.h).
#include "kernels/common/code_line.h"
#include "kernels/common/cuda.h"
#ifndef DSF_SIMT
#include <cooperative_groups.h>

#include <utility>
#endif

namespace dsf::cuda {

/// What any thread wrote before is there for all behind it. All threads of all blocks must call.
#ifdef DSF_SIMT
inline void grid_barrier(CodeLine site = CodeLine::here()) {
  simt::sync_grid(site);
}
#else
__device__ inline void grid_barrier() {
  cooperative_groups::this_grid().sync();
}
#endif

// The same in two halves, between which a block does what depends on no other: what was written
// before the first is there for all behind the second.
#ifdef DSF_SIMT
struct GridArrival {};
inline GridArrival arrive_at_grid_barrier() {
  return {};
}
inline void wait_for_grid(GridArrival, CodeLine site = CodeLine::here()) {
  simt::sync_grid(site);
}
#else
using GridArrival = cooperative_groups::grid_group::arrival_token;
__device__ inline GridArrival arrive_at_grid_barrier() {
  return cooperative_groups::this_grid().barrier_arrive();
}
__device__ inline void wait_for_grid(GridArrival arrival) {
  cooperative_groups::this_grid().barrier_wait(std::move(arrival));
}
#endif

}  // namespace dsf::cuda
