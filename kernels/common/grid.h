#pragma once
// The barrier of all threads of a cooperative launch (launch.h).
#include "kernels/common/code_line.h"
#include "kernels/common/cuda.h"
#ifndef DSF_SIMT
#include <cooperative_groups.h>
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

}  // namespace dsf::cuda
