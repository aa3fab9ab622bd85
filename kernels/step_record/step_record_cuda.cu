#include "kernels/common/launch.h"
#include "kernels/step_record/step_record.h"

namespace dsf::cuda {

__global__ static void record_kernel(float* record, float* guard, const float* loss,
                                     const float* norm) {
  record[0] = *loss;
  record[1] = *norm;
  *guard += 0.0F * *loss + 0.0F * (*norm * *norm);  // 0, or NaN
}

void step_record(const Context& ctx, Tensor records, Tensor guard, ConstTensor loss,
                 ConstTensor norm, int64_t slot) {
  launch(record_kernel, 1, 1, 0, stream_of(ctx), records.row(slot), guard.data, loss.data,
         norm.data);
}

}  // namespace dsf::cuda
