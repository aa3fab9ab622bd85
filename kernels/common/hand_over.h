#pragma once
// Numbers that the blocks of a cooperative launch hand to each other, each written once: a place
// holds `absent()` until then, and who wants the number asks until it is there. That takes one way
// to the L2 cache and one back. A grid barrier takes three or four, since what was written must
// have arrived before a block can say so, and what is read behind it another two; and it may wait
// for copies that are under way, which this does not.
//
// All places must be made absent() before a grid barrier (grid.h) that lies before all of this.
#include "kernels/common/code_line.h"
#include "kernels/common/cuda.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

/// A NaN that no arithmetic yields.
__device__ inline float absent() {
  return __uint_as_float(0xFFFFFFFFU);
}
__device__ inline bool is_absent(float value) {
  return __float_as_uint(value) == 0xFFFFFFFFU;
}

// Before numbers are awaited all threads of all blocks call await_blocks(), behind what the numbers
// come from. To a GPU that is a barrier of the block. In the simulation, where no block runs while
// another waits for it otherwise, it is one of the grid.

#ifdef DSF_SIMT

inline void await_blocks(CodeLine site = CodeLine::here()) {
  simt::sync_grid(site);
}
inline void hand_over(float* place, float value) {
  *place = is_absent(value) ? NAN : value;
}
template <int width>
inline Vector<width> look_at(const float* place) {
  return load<width>(place);
}

#else

__device__ inline void await_blocks() {
  __syncthreads();
}
__device__ inline void hand_over(float* place, float value) {
  asm volatile("st.relaxed.gpu.global.f32 [%0], %1;"
               :
               : "l"(place), "f"(is_absent(value) ? NAN : value)
               : "memory");
}
/// What is at a place now, in the L2 cache.
template <int width>
__device__ inline Vector<width> look_at(const float* place) {
  static_assert(width == 1 || width == 4);
  Vector<width> v;
  if constexpr (width == 4) {
    asm volatile("ld.relaxed.gpu.global.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3])
                 : "l"(place)
                 : "memory");
  } else {
    asm volatile("ld.relaxed.gpu.global.f32 %0, [%1];" : "=f"(v[0]) : "l"(place) : "memory");
  }
  return v;
}

#endif

/// The numbers at `places`, asked for together, when all are there. One that does not come within
/// some tenths of a second ends the launch with an error.
template <int width, int count>
__device__ inline void await(const float* const (&places)[count], Vector<width> (&values)[count]) {
  bool missing = true;
  for (int tries = 0; missing; ++tries) {
    if (tries == 1 << 20) __trap();
    for (int i = 0; i < count; ++i) values[i] = look_at<width>(places[i]);
    missing = false;
    for (const Vector<width>& value : values) {
      for (int n = 0; n < width; ++n) missing |= is_absent(value[n]);
    }
  }
}

}  // namespace dsf::cuda
