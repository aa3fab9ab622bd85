#pragma once
// The angles of rope_head_tables, for kernels that make tables of their own.
#include <cstdint>

#include "kernels/common/cuda.h"

namespace dsf::cuda {

/// By how much a position turns a plane of a head; few enough that double precision costs nothing.
__device__ inline double head_angle(int64_t position, int64_t plane, int planes) {
  return static_cast<double>(position) * pow(10000.0, -static_cast<double>(plane) / planes);
}

}  // namespace dsf::cuda
