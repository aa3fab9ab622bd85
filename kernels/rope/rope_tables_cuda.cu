#include "kernels/common/counter_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/rope/head_angle_cuda.h"
#include "kernels/rope/rope.h"

namespace dsf::cuda {

/// A thread to a plane of a position.
__global__ static void head_tables_kernel(float* first, float* second, Counter first_position,
                                          int64_t positions, int planes) {
  const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= positions * planes) return;
  const double angle = head_angle(value_of(first_position) + at / planes, at % planes, planes);
  first[at] = static_cast<float>(cos(angle));
  second[at] = static_cast<float>(sin(angle));
}

void rope_head_tables(const Context& ctx, Tensor first, Tensor second, Counter first_position,
                      int64_t head_size) {
  constexpr int kThreads = 128;
  if (first.size() == 0) return;  // heads of size 1 have no plane
  launch(head_tables_kernel, divide_up(first.size(), kThreads), kThreads, 0, stream_of(ctx),
         first.data, second.data, first_position, first.dim(0), static_cast<int>(head_size / 2));
}

}  // namespace dsf::cuda
