#include "kernels/common/convolution_numbers.h"

namespace dsf {

bool rounds_convolution(const Context& ctx, int64_t inputs, int64_t outputs) {
  // What the tiles on tensor cores can copy; a single output has a kernel of its own.
  return ctx.device == Device::cuda && ctx.precision == Precision::bf16 && inputs % 8 == 0 &&
         outputs % 4 == 0;
}

}  // namespace dsf
