#include "kernels/step_record/step_record.h"

namespace dsf::cpu {

void step_record(const Context&, Tensor records, Tensor guard, ConstTensor loss, ConstTensor norm,
                 Counter slot) {
  float* record = records.row(slot.value);
  record[0] = loss[0];
  record[1] = norm[0];
  guard[0] += 0.0F * loss[0] + 0.0F * (norm[0] * norm[0]);  // 0, or NaN
}

}  // namespace dsf::cpu
