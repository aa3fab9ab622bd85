#pragma once
// What an optimizer step leaves behind where ops run, so that steps follow each other without the
// host: its loss and gradient norm for whoever asks later, and whether steps may still be taken.
#include "kernels/common/counter.h"
#include "kernels/common/dispatch.h"

namespace dsf {

/// records [K, 2]: row `slot` becomes (loss, norm). guard [1] is 1 where all is well: it becomes
/// NaN where the loss or the square of the norm is not finite, and then stays so. loss, norm [1].
/// A slot is below K; a GPU, which cannot raise an Error, must not be given any other.
DSF_OP(void step_record(const Context& ctx, Tensor records, Tensor guard, ConstTensor loss,
                        ConstTensor norm, Counter slot))

}  // namespace dsf
