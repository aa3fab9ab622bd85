#include "kernels/common/counter_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/step_record/step_record.h"

namespace dsf::cuda {

__global__ static void record_kernel(float* records, float* guard, const float* loss,
                                     const float* norm, Counter slot) {
  float* record = records + 2 * value_of(slot);
  record[0] = *loss;
  record[1] = *norm;
  *guard += 0.0F * *loss + 0.0F * (*norm * *norm);  // 0, or NaN
}

void step_record(const Context& ctx, Tensor records, Tensor guard, ConstTensor loss,
                 ConstTensor norm, Counter slot) {
  launch(record_kernel, 1, 1, 0, stream_of(ctx), records.data, guard.data, loss.data, norm.data,
         slot);
}

}  // namespace dsf::cuda
