#include "kernels/step_record/step_record.h"

namespace dsf {

void step_record(const Context& ctx, Tensor records, Tensor guard, ConstTensor loss,
                 ConstTensor norm, int64_t slot) {
  DSF_CHECK(records.rank() == 2 && records.dim(1) == 2 && slot >= 0 && slot < records.dim(0),
            "slot {} of records {}", slot, records.shape.str());
  DSF_CHECK(guard.size() == 1 && loss.size() == 1 && norm.size() == 1, "guard {}, loss {}, norm {}",
            guard.shape.str(), loss.shape.str(), norm.shape.str());
  DSF_DISPATCH(step_record, ctx, records, guard, loss, norm, slot);
}

}  // namespace dsf
