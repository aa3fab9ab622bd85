#pragma once
#include "kernels/common/checks.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// A weight or bias of a norm, or its gradient: absent, or of `size` channels.
inline void check_vector(ConstTensor vector, int64_t size, const char* name) {
  DSF_CHECK(!vector || vector.size() == size, "{} {} for {} channels", name, vector.shape.str(),
            size);
}

}  // namespace dsf
