#include "kernels/step_record/step_record.h"

namespace dsf {

void step_record(const Context& ctx, Tensor records, Tensor guard, ConstTensor loss,
                 ConstTensor norm, Counter slot) {
  DSF_CHECK(records.rank() == 2 && records.dim(1) == 2, "records {}", records.shape.str());
  DSF_CHECK(
      slot.device ? ctx.device != Device::cpu : slot.value >= 0 && slot.value < records.dim(0),
      "slot {} of records {}", slot.value, records.shape.str());
  DSF_CHECK(guard.size() == 1 && loss.size() == 1 && norm.size() == 1, "guard {}, loss {}, norm {}",
            guard.shape.str(), loss.shape.str(), norm.shape.str());
  DSF_DISPATCH(step_record, ctx, records, guard, loss, norm, slot);
}

}  // namespace dsf
