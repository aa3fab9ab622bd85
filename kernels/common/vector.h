#pragma once
// Several floats loaded and stored by one instruction.
#include <cstdint>
#include <initializer_list>

#include "kernels/common/cuda.h"

namespace dsf::cuda {

template <int width>
struct alignas(width * sizeof(float)) Vector {
  float values[width];
  __device__ float& operator[](int i) { return values[i]; }
  __device__ float operator[](int i) const { return values[i]; }
};

/// `address` must be a multiple of the vector's size, as must what is stored to.
template <int width>
__device__ inline Vector<width> load(const float* address) {
  return *reinterpret_cast<const Vector<width>*>(address);
}
template <int width>
__device__ inline void store(float* address, const Vector<width>& vector) {
  *reinterpret_cast<Vector<width>*>(address) = vector;
}

/// Whether rows of `cols` floats at all of `tensors` (null ones count not) can be read as
/// Vector<4>; else a kernel's form for Vector<1> is to be taken.
inline bool fits_vectors(int64_t cols, std::initializer_list<const float*> tensors) {
  if (cols % 4 != 0) return false;
  for (const float* tensor : tensors) {
    if (reinterpret_cast<uintptr_t>(tensor) % sizeof(Vector<4>) != 0) return false;
  }
  return true;
}

}  // namespace dsf::cuda
