#pragma once

namespace dsf::cuda {

/// Blocks of an SM to compile a kernel for (__launch_bounds__), on Hopper and on others: where it
/// needs more registers for these, it would spill to let in as many.
constexpr int resident_blocks([[maybe_unused]] int on_hopper, [[maybe_unused]] int on_others) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900
  return on_others;
#else
  return on_hopper;
#endif
}

}  // namespace dsf::cuda
